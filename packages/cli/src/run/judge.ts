import { plural } from '../report/plural.js'
import type { CellResult, ExpectationResult } from '../report/result.js'
import type { PreparedCell } from '../session/prepare.js'
import type { Finished } from '../session/run-cell.js'

/** Judges a finished run by what the cell expects. */
export function judge(prepared: PreparedCell, { run, missed }: Finished): CellResult {
  const { scenario, cell, expectations, bounds } = prepared
  const results: ExpectationResult[] = missed.map(({ verb, value, moment, path }) => ({
    verb: 'inject',
    place: scenario.places.value(path),
    holds: false,
    expected:
      'step' in moment
        ? `${verb.describe(value)} before step ${moment.step}`
        : `${verb.describe(value)} at ${moment.name ?? run.nameOf(moment.address)}${moment.occurrence > 1 ? `, occurrence ${moment.occurrence}` : ''}`,
    actual: `it did not come to that: ${run.outcome} after ${plural(run.steps, 'step')}`,
  }))
  for (const { verb, path, check } of expectations) {
    bounds.checkTime(cell.name)
    results.push({ verb, place: scenario.places.key(path), ...check.verdict(run) })
  }
  const violations = run.invariants.flatMap((name) => run.violations.find(({ invariant }) => invariant === name) ?? [])
  const mentioned = new Set(cell.expect.flatMap(({ verbs }) => verbs.flatMap(mentionedInvariants)))
  return {
    name: cell.name,
    axes: cell.axes,
    passed: results.every(({ holds }) => holds),
    outcome: run.outcome,
    steps: run.steps,
    expectations: results,
    violations,
    log: run.log.slice(run.boot.log.length),
    unmentioned: violations.map(({ invariant }) => invariant).filter((name) => !mentioned.has(name)),
  }
}

function mentionedInvariants({ name, value }: { readonly name: string; readonly value: unknown }): string[] {
  return name === 'violates' || name === 'keeps' ? [value].flat().map(String) : []
}
