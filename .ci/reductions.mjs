// Searches the NMI shootdown with one precaution left out, once with the reduction that its scenarios use and once with every
// interleaving in full, and holds the one against the other: both must be complete and find the same. Works on the built packages.
//
//   node .ci/reductions.mjs [--without PRECAUTION] [--events mc,nmi] [--depth 1] [--seconds 600]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const CLI = 'packages/cli/dist/bin.js'
/** Each scenario with the cell of it that is searched. */
const SEARCHES = [
  ['scenarios/explore/kexec-shootdown.yaml', ['cpus=2', 'revision=rfc']],
  ['scenarios/explore/kexec-shootdown-idt.yaml', ['cpus=2', 'shadowStacks=false']],
]
const { values } = parseArgs({
  options: {
    without: { type: 'string', default: 'crashingCpuIgnoresNmi' },
    events: { type: 'string', default: 'nmi' },
    depth: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '600' },
  },
})

const folder = mkdtempSync(join(tmpdir(), 'trapframe-reductions-'))
try {
  for (const [file, cell] of SEARCHES) if (!agrees(file, cell)) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function agrees(file, cell) {
  const text = readFileSync(file, 'utf8')
  const broken = join(folder, 'broken.yaml')
  writeFileSync(broken, replaced(text, '- crash: {}', `- crash: { without: ${values.without} }`))
  const [reduced, full] = [[], ['--full']].map((extra) => searched(broken, cell, extra))
  const same = reduced.complete && full.complete && reduced.found === full.found
  console.log(
    `${same ? '✓' : '✗'}  ${file} (${cell.join(', ')}), without ${values.without}: ${reduced.found || 'nothing'}`,
  )
  console.log(`    ${reduced.told}\n    ${full.told}, in full`)
  if (!same) console.log(`    in full: ${full.found || 'nothing'}`)
  return same
}

function replaced(text, from, to) {
  if (!text.includes(from)) throw new Error(`the scenario has no "${from}"`)
  return text.replace(from, to)
}

function searched(file, cell, extra) {
  const { events, depth, seconds } = values
  const words = [
    'explore',
    file,
    '--json',
    '--out',
    folder,
    '--events',
    events,
    '--depth',
    depth,
    '--max-seconds',
    seconds,
  ]
  for (const one of cell) words.push('--cell', one)
  const { stdout, stderr } = spawnSync('node', [CLI, ...words, ...extra], { encoding: 'utf8', maxBuffer: 1 << 30 })
  if (stdout === '') throw new Error(`trapframe explore printed nothing: ${stderr}`)
  const { states, passed, complete, seconds: took, violations } = JSON.parse(stdout)
  const found = [...new Set(violations.map(({ invariant, cpu }) => `${invariant} on CPU ${cpu}`))].sort().join(', ')
  return { complete, found, told: `${states + passed} states, ${took.toFixed(1)} s${complete ? '' : ', not complete'}` }
}
