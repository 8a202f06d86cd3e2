import type { UserError } from '@trapframe/core'
import { ScenarioErrors } from '../error/scenario-error.js'
import type { RunEnd } from './reporter.js'
import type { CellResult, ScenarioResult, Totals } from './result.js'

/** A value as JSON: integers beyond 2^53 and addresses as hexadecimal text. @param indent 0 puts it into one line */
export function toJson(value: unknown, indent = 2): string {
  return `${JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? `0x${one.toString(16)}` : one), indent)}\n`
}

/** A file that could not be read, as data. */
export interface Unreadable {
  readonly file: string
  readonly errors: readonly { message: string; line?: number; column?: number; hint?: string }[]
}

export function unreadable(file: string, error: UserError): Unreadable {
  const errors = error instanceof ScenarioErrors ? error.errors : [error]
  return {
    file,
    errors: errors.map(({ message, place, hint }) => ({
      message,
      ...(place === undefined ? {} : { line: place.line, column: place.column }),
      ...(hint === undefined ? {} : { hint }),
    })),
  }
}

/** The object that `run --json` prints. */
export function runObject(
  results: readonly ScenarioResult[],
  unreadables: readonly Unreadable[],
  totals: Totals,
  end: RunEnd = 'complete',
): unknown {
  return {
    totals,
    ...(end === 'complete' ? {} : { end }),
    scenarios: results.map(({ file, name, cells }) => ({ file, name, cells: cells.map(cellObject) })),
    unreadable: unreadables,
  }
}

/** A cell as data. */
export function cellObject(cell: CellResult): Readonly<Record<string, unknown>> {
  return {
    name: cell.name,
    axes: Object.fromEntries(
      Object.entries(cell.axes).map(([axis, value]) => [axis, typeof value === 'bigint' ? Number(value) : value]),
    ),
    passed: cell.passed,
    outcome: cell.outcome,
    steps: cell.steps,
    expectations: cell.expectations.map(({ verb, place, holds, expected, actual }) => ({
      verb,
      line: place.line,
      column: place.column,
      holds,
      expected,
      actual,
    })),
    log: cell.log,
    violations: cell.violations.map(({ invariant, step, cpu, message }) => ({ invariant, step, cpu, message })),
  }
}
