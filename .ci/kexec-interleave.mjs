// Searches every interleaving of the NMI shootdown, with extra events at every instruction boundary of every CPU, for a way
// to break it (K1, K2, K4). Works on the built packages: run `pnpm build` first.
//
//   node .ci/kexec-interleave.mjs                        what CI runs: one event on 2 and on 3 CPUs, and what the reductions leave out
//   node .ci/kexec-interleave.mjs --cpus 2 --events 2 --delivery fred [--revision upstream] [--context host] [--seconds 3600]
//                                 [--only mc,nmi,interrupt] [--without selfNmi,…] [--no-shadow-stacks] [--full] [--compare]
//
// The arrival of each IPI is a choice of its own, so that every delay is tried. `--full` interleaves every instruction, and
// forgets nothing; `--compare` does it both ways and fails where the one breaks an invariant on a CPU that the other does not.
// The search ends where the crashing CPU has reported and begins to leave Xen: from there on it is by itself.
import { parseArgs } from 'node:util'
import { apic, setArrivals } from '../packages/apic/dist/index.js'
import { createMachine } from '../packages/core/dist/index.js'
import { explore, interruptEvent, MACHINE_CHECK_EVENT, NMI_EVENT, search } from '../packages/explore/dist/index.js'
import { fred } from '../packages/fred/dist/index.js'
import { idt } from '../packages/idt/dist/index.js'
import { assemble, isa } from '../packages/isa/dist/index.js'
import { kexec, loadCrashImage } from '../packages/kexec/dist/index.js'
import { xen } from '../packages/xen/dist/index.js'
import { CHECKS, INVARIANTS_OF } from './kexec-interleave/checks.mjs'
import { aloneOf, forgetterOf } from './kexec-interleave/reductions.mjs'

const { values } = parseArgs({
  options: {
    cpus: { type: 'string' },
    events: { type: 'string' },
    delivery: { type: 'string', default: 'fred' },
    revision: { type: 'string', default: 'rfc' },
    context: { type: 'string', default: 'guest' },
    without: { type: 'string', default: '' },
    only: { type: 'string', default: 'mc,nmi,interrupt' },
    seconds: { type: 'string', default: '3600' },
    'no-shadow-stacks': { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    compare: { type: 'boolean', default: false },
  },
})

const EVENTS = { mc: MACHINE_CHECK_EVENT, nmi: NMI_EVENT, interrupt: interruptEvent(0x40) }
/** Where a run compares, as many violations as there are count. */
const ALL = 1000

/** One search; CPU 0 crashes, the others run a loop in a guest or in Xen. */
function explored({
  cpus,
  events,
  delivery,
  revision,
  only = values.only,
  context = 'guest',
  without = '',
  shadowStacks = true,
  full,
  compare,
}) {
  const plugins = [isa(), idt(), fred(), xen(), apic(), kexec(), explore(), CHECKS]
  const machine = createMachine({ cpu: 'panther-lake', cpus, plugins })
  const boot = machine.boot('xen', { delivery, options: { revision, ...(shadowStacks ? {} : { shadowStacks }) } })
  const left = without.split(',').filter((name) => name !== '')
  loadCrashImage(machine, { precautions: Object.fromEntries(left.map((name) => [name, false])) })
  const { host, guest } = boot.sites
  const program = assemble('call kexec_crash\nbusy: jmp busy', {
    origin: host.origin,
    symbols: { kexec_crash: boot.labels.get('kexec_crash') },
  })
  machine.space(0n).write(host.origin, program.bytes)
  machine.space(0n).write(guest.origin, assemble('busy: jmp busy', { origin: guest.origin }).bytes)
  for (const cpu of machine.cpus) {
    if (cpu.id === 0 || context === 'host') host.enter(cpu)
    else guest.enter(cpu)
    if (cpu.id !== 0 && context === 'host') cpu.rip = program.labels.get('busy')
  }
  setArrivals(machine, 'chosen')
  const end = boot.labels.get('machine_kexec')
  return search(machine, boot, {
    events: only.split(',').map((name) => EVENTS[name]),
    maxEvents: events,
    deadStacks: true,
    invariants: INVARIANTS_OF[delivery],
    atEnd: (cpu) => cpu.rip === end,
    maxSeconds: Number(values.seconds),
    ...(compare ? { maxViolations: ALL } : {}),
    ...(full ? {} : { alone: aloneOf(machine, boot), forget: forgetterOf(machine, boot) }),
  })
}

const nameOf = ({ delivery, revision, cpus, events, only, without, full }) =>
  [
    `${delivery}, ${revision}: ${cpus} CPUs, ${events} extra events`,
    ...(only ? [`${only} only`] : []),
    ...(without ? [`without ${without}`] : []),
    ...(full ? ['in full'] : []),
  ].join(', ')

/** Makes a search and says what came of it. */
function report(run) {
  const result = explored(run)
  const { states, passed, transitions, complete, seconds, violations, terminals } = result
  const how = complete ? 'complete' : `not complete (${result.stopped.join(', ')})`
  const ends = Object.values(terminals).reduce((sum, n) => sum + n, 0)
  const counted = `${states} states, ${passed} more judged in straight lines, ${transitions} transitions, ${ends} ends`
  console.log(`${nameOf(run)}: ${counted}, ${seconds.toFixed(1)} s, ${how}, ${violations.length} violations`)
  return result
}

function tell({ invariant, message, label, path }) {
  const events = path
    .filter(({ event }) => event !== null)
    .map(({ event, cpu, label: at }) => `${event} on CPU ${cpu} at ${at}`)
  console.log(`  ${invariant}: ${message}, at ${label}, after ${events.join(', ') || 'no event'}`)
}

/** Whether nothing is broken. */
function holds(run) {
  const { complete, violations } = report(run)
  violations.forEach(tell)
  return complete && violations.length === 0
}

/** Whether the search that leaves things out finds what the full one does. */
function agrees(run) {
  const [reduced, full] = [false, true].map((one) => {
    const { complete, violations } = report({ ...run, full: one, compare: true })
    return {
      complete,
      found: [...new Set(violations.map(({ invariant, cpu }) => `${invariant} on CPU ${cpu}`))].sort(),
    }
  })
  const same = reduced.complete && full.complete && reduced.found.join() === full.found.join()
  console.log(`  ${same ? 'both' : 'NOT THE SAME'}: ${reduced.found.join(', ') || 'nothing'}`)
  if (!same) console.log(`  in full: ${full.found.join(', ') || 'nothing'}`)
  return same
}

const shadowStacks = !values['no-shadow-stacks']
const one = values.cpus !== undefined || values.events !== undefined
const hosts = [
  { delivery: 'fred', revision: 'rfc' },
  { delivery: 'fred', revision: 'upstream' },
  { delivery: 'idt', revision: 'rfc' },
]
let good
if (one) {
  const run = { ...values, shadowStacks, cpus: Number(values.cpus ?? 2), events: Number(values.events ?? 1) }
  good = values.compare ? agrees(run) : holds(run)
} else {
  const searches = hosts.flatMap((host) => [2, 3].map((cpus) => ({ ...host, cpus, events: 1 })))
  const broken = { cpus: 2, events: 1, only: 'nmi', without: 'crashingCpuIgnoresNmi' }
  const comparisons = [hosts[0], hosts[2]].map((host) => ({ ...host, ...broken }))
  good = [...searches.map(holds), ...comparisons.map(agrees)].every((ok) => ok)
}
process.exitCode = good ? 0 : 1
