// Runs every search of scenarios/explore and of the examples that have an `explore` section, checks that each finds what its
// scenario says, and that `trapframe run` accepts each counterexample. Prints states and times. Works on the built packages.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CLI = 'packages/cli/dist/bin.js'
/** Folders with their plugins. */
const EXAMPLES = [['examples/linux-host', 'examples/linux-host/plugin.mjs']]

const out = mkdtempSync(join(tmpdir(), 'trapframe-explore-'))
let failed = 0
try {
  search(['scenarios/explore'], [])
  for (const [folder, plugin] of EXAMPLES) search(searchesIn(folder), ['--plugin', plugin])
} finally {
  rmSync(out, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1

/** Files of a folder with an `explore` section. */
function searchesIn(folder) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => join(folder, file))
    .filter((file) => /^explore:/m.test(readFileSync(file, 'utf8')))
}

function search(files, plugin) {
  const { stdout, stderr } = trapframe('explore', ...files, '--check', '--json', '--out', out, ...plugin)
  if (stdout === '') throw new Error(`trapframe explore printed nothing: ${stderr}`)
  for (const cell of JSON.parse(stdout).cells) {
    const { file, violations, unmet, complete, states, passed, transitions, seconds } = cell
    const ok = unmet.length === 0 && violations.every(({ scenario }) => scenario !== null && replays(scenario, plugin))
    if (!ok) failed++
    const found = violations.map(
      ({ invariant, events, steps }) => `${invariant} after ${events} events, ${steps} steps`,
    )
    console.log(
      [
        ok ? '✓' : '✗',
        `${file}${cell.cell === '' ? '' : ` (${cell.cell})`}:`,
        found.length > 0 ? found.join(', ') : 'no violation',
        complete ? 'complete' : 'not complete',
        `${states + passed} states, ${transitions} transitions, ${seconds.toFixed(2)} s`,
      ].join('  '),
    )
    for (const text of unmet) console.log(`    ${text}`)
  }
}

/** Whether a counterexample breaks its invariant again, each step made twice. */
function replays(scenario, plugin) {
  const { status, stdout, stderr } = trapframe('run', scenario, '--check', ...plugin)
  if (status !== 0) console.log(`${stdout}${stderr}`)
  return status === 0
}

function trapframe(...words) {
  return spawnSync('node', [CLI, ...words], { encoding: 'utf8', maxBuffer: 1 << 30 })
}
