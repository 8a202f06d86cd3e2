import { styleText } from 'node:util'
import type { Tally, VectorReport } from './run.js'

const COLUMNS = ['total', 'passed', 'failed', 'skipped'] as const

/** The report as a table of groups, then the first failures, then the totals. */
export function formatReport(report: VectorReport): string {
  const groups = Object.entries(report.groups).sort(([a], [b]) => (a < b ? -1 : 1))
  const width = Math.max(5, ...groups.map(([name]) => name.length))
  const row = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(width)}${cells.map((cell) => cell.padStart(9)).join('')}`
  const counts = (tally: Tally): string[] => COLUMNS.map((column) => String(tally[column]))
  const lines = [row('group', COLUMNS)]
  for (const [name, tally] of groups) {
    const line = row(name, counts(tally))
    lines.push(tally.failed > 0 ? styleText('red', `${line}  ✗`) : line)
  }
  lines.push(row('total', counts(report)))
  for (const { id, field, expected, actual } of report.failures.slice(0, 20)) {
    lines.push('', `${id}: ${field}`, `  expected ${expected}`, `  actual   ${actual}`)
  }
  if (report.failed > 20) lines.push('', `… and ${report.failed - 20} more; --json lists the first 50`)
  return `${lines.join('\n')}\n`
}
