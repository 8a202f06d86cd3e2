// Runs guests that mean harm on the model's Xen, under both deliveries (P6): no hypervisor crash, nobody in ring 0 but Xen, none of its
// memory changed, nothing of one vCPU seen by another, nothing of the delivery seen at all. So that this means something, the same run
// is made on hypervisors that have lost one of their checks: it must find each of them.
//
//   node .ci/pv-fuzz.mjs [--cases N] [--seed N] [--workers N] [--defect NAME | --no-defects]
//
// Prints the smallest program of each finding; the same cases and seed find the same. Works on the built packages: run `pnpm build` first.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { createMachine } from '../packages/core/dist/index.js'
import { fred } from '../packages/fred/dist/index.js'
import { idt } from '../packages/idt/dist/index.js'
import { isa } from '../packages/isa/dist/index.js'
import { pv } from '../packages/pv/dist/index.js'
import { DEFECTS, Fuzzer, printFinding } from '../packages/pv/dist/testing/index.js'
import { xen } from '../packages/xen/dist/index.js'

/** Cases that go to a worker at a time: a slice has a seed of its own, so that the number of workers changes nothing. */
const SLICE = 1000
/** Cases within which every defect must be found. */
const DEFECT_CASES = 5000

if (isMainThread) await main()
else work()

async function main() {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      workers: { type: 'string', default: String(availableParallelism()) },
      defect: { type: 'string' },
      'no-defects': { type: 'boolean', default: false },
    },
  })
  const seed = Number(values.seed)
  const slices = Math.ceil(Number(values.cases) / SLICE)
  const real = Array.from({ length: slices }, (_, i) => ({
    defect: null,
    seed: seed + i,
    cases: Math.min(SLICE, Number(values.cases) - i * SLICE),
  }))
  const chosen = DEFECTS.filter(({ name }) => values.defect === undefined || name === values.defect)
  if (chosen.length === 0)
    throw new Error(`no defect "${values.defect}": there are ${DEFECTS.map((d) => d.name).join(', ')}`)
  const defects = values['no-defects'] ? [] : chosen.map(({ name }) => ({ defect: name, seed, cases: DEFECT_CASES }))
  const jobs = [...(values.defect === undefined ? real : []), ...defects]
  const started = performance.now()
  const results = await spread(jobs, Math.min(Number(values.workers), jobs.length))
  report(jobs, results, (performance.now() - started) / 1000)
}

/** Gives each job to the next worker that is free; the results in the order of the jobs. */
function spread(jobs, count) {
  const results = []
  let next = 0
  const workers = Array.from({ length: count }, () => {
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url))
      const give = () =>
        next < jobs.length ? worker.postMessage({ index: next, job: jobs[next++] }) : worker.postMessage(null)
      worker.on('message', ({ index, result }) => {
        results[index] = result
        give()
      })
      worker.on('error', reject)
      worker.on('exit', resolve)
      give()
    })
  })
  return Promise.all(workers).then(() => results)
}

function work() {
  const fuzzers = new Map()
  parentPort.on('message', (message) => {
    if (message === null) return parentPort.close()
    const { index, job } = message
    if (!fuzzers.has(job.defect)) {
      // One hypervisor at a time is enough memory.
      fuzzers.clear()
      fuzzers.set(
        job.defect,
        new Fuzzer(() => machineWith(DEFECTS.find(({ name }) => name === job.defect)?.checks ?? {})),
      )
    }
    const { cases, finding, program } = fuzzers.get(job.defect).fuzz(job)
    const lines = finding === null ? null : printFinding(finding, program)
    parentPort.postMessage({ index, result: { cases, lines } })
  })
}

function machineWith(checks) {
  const plugins = [isa(), idt(), fred({ int1Conditions: 'pending' }), xen(), pv({ checks })]
  return createMachine({ cpu: 'panther-lake', cpus: 2, plugins })
}

function report(jobs, results, seconds) {
  let cases = 0
  let missed = 0
  const broken = []
  for (const [i, { defect, seed }] of jobs.entries()) {
    const { lines, ...result } = results[i]
    cases += result.cases
    if (defect === null) {
      if (lines !== null) broken.push(`with seed ${seed}, case ${result.cases}:\n${lines.join('\n')}`)
      continue
    }
    const { about } = DEFECTS.find(({ name }) => name === defect)
    console.log(`\ndefect ${defect}: ${about}`)
    if (lines === null) {
      missed++
      console.log(`  NOT FOUND in ${result.cases} cases`)
    } else console.log(`  found by case ${result.cases}:\n${lines.map((line) => `    ${line}`).join('\n')}`)
  }
  for (const finding of broken) console.log(`\nFOUND ${finding}`)
  const defects = jobs.filter(({ defect }) => defect !== null).length
  const rate = Math.round(cases / seconds)
  console.log(
    `\n${cases} cases in ${Math.round(seconds)} s, ${rate} a second: ${broken.length} findings; ${defects - missed} of ${defects} defects found`,
  )
  if (broken.length > 0 || missed > 0) process.exitCode = 1
}
