import type { Place } from '@trapframe/core'
import type { Axes } from '../scenario/matrix.js'
import type { Outcome, Violation } from '../session/cell-run.js'

/** What became of one expectation in one cell. */
export interface ExpectationResult {
  /** Key of the verb; `inject` for an injection whose moment did not come. */
  readonly verb: string
  readonly place: Place
  readonly holds: boolean
  readonly expected: string
  readonly actual: string
}

/** What became of one cell. */
export interface CellResult {
  readonly name: string
  readonly axes: Axes
  readonly passed: boolean
  readonly outcome: Outcome
  readonly steps: number
  readonly expectations: readonly ExpectationResult[]
  /** The first violation of each invariant, whether expected or not. */
  readonly violations: readonly Violation[]
  /** What the host printed during the run. */
  readonly log: readonly string[]
  /** Invariants that were violated without any expectation speaking of them. */
  readonly unmentioned: readonly string[]
}

/** What became of one scenario. */
export interface ScenarioResult {
  readonly file: string
  readonly name: string
  readonly cells: readonly CellResult[]
}

/** Sums over scenarios. */
export interface Totals {
  readonly scenarios: number
  /** Scenarios that could not be read. */
  readonly unreadable: number
  readonly cells: number
  readonly passed: number
  readonly failed: number
  readonly expectations: number
}

export function totalsOf(results: readonly ScenarioResult[], unreadable: number): Totals {
  const cells = results.flatMap((result) => result.cells)
  const passed = cells.filter((cell) => cell.passed).length
  return {
    scenarios: results.length + unreadable,
    unreadable,
    cells: cells.length,
    passed,
    failed: cells.length - passed,
    expectations: cells.reduce((sum, cell) => sum + cell.expectations.length, 0),
  }
}
