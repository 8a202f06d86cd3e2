// Searches systems with one seeded fault each and says what noticed it: each must be caught by an invariant that is expected
// to, or be known to make no difference. Needs the built packages.
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

// Packages are found from a folder that depends on all of them.
const here = 'packages/cli/node_modules/.mutants'
mkdirSync(here, { recursive: true })
for (const file of ['host.mjs', 'list.mjs']) copyFileSync(join('.ci/mutants', file), join(here, file))
const { MUTANTS } = await import(pathToFileURL(join(process.cwd(), here, 'list.mjs')))
const { searchMutant } = await import(pathToFileURL(join(process.cwd(), here, 'host.mjs')))
rmSync(here, { recursive: true })

const only = process.argv.slice(2)
const rows = [['mutant', 'what is wrong', 'states', 'noticed by', 'events', 'steps']]
let failures = 0
const began = performance.now()
for (const mutant of MUTANTS) {
  if (only.length > 0 && !only.includes(mutant.id)) continue
  const found = searchMutant(mutant)
  const names = [...new Set(found.violations.map(({ invariant }) => invariant))]
  // A program that never gets to its end hangs, which breaks no invariant of a step.
  if (found.complete && found.terminals.end === 0 && names.length === 0) names.push('never ends')
  const first = found.violations[0]
  const asExpected =
    mutant.expect.length === 0
      ? names.length === 0 && found.complete
      : names.some((name) => mutant.expect.includes(name))
  if (!asExpected) failures++
  const outcome =
    names.length > 0
      ? names.join(', ')
      : found.complete
        ? `nothing: ${mutant.why ?? 'IT SURVIVED'}`
        : `nothing, stopped by ${found.stopped}: ${found.limits[0]?.message ?? ''}`
  rows.push([
    mutant.id,
    mutant.what,
    String(found.states),
    `${asExpected ? '' : 'UNEXPECTED '}${outcome}`,
    first ? String(first.events) : '',
    first ? String(first.steps) : '',
  ])
}
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (column === 3 ? 0 : row[column].length))))
for (const row of rows)
  console.log(
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  )
const caught = MUTANTS.filter(({ expect }) => expect.length > 0).length
console.log(
  `\n${caught} faults to be caught, ${MUTANTS.length - caught} that make no difference, ${failures} not as expected; ${((performance.now() - began) / 1000).toFixed(1)} s`,
)
process.exitCode = failures > 0 ? 1 : 0
