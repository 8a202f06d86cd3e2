import { pad, painter, width } from '../terminal/style.js'
import type { Output } from '../terminal/terminal.js'
import type { SearchOutcome } from './job.js'

/** A table: each boundary that was met, and which events happened there. */
export function drawCoverage({ coverage, job }: SearchOutcome, output: Pick<Output, 'color'>): string {
  const paint = painter(output)
  const events = [...new Set(coverage.flatMap(({ events: hit }) => hit))]
  const head = ['boundary', 'step', ...events]
  const rows = coverage.map(({ label, stepped, events: hit }) => [
    label,
    stepped ? 'yes' : '–',
    ...events.map((event) => (hit.includes(event) ? 'yes' : '–')),
  ])
  const hits = coverage.reduce((sum, { events: hit }) => sum + hit.length, 0)
  const widths = head.map((text, n) => Math.max(width(text), ...rows.map((row) => width(row[n]!))))
  const line = (row: readonly string[]): string =>
    `    ${row.map((text, n) => pad(text, widths[n]!)).join('  ')}`.trimEnd()
  const title = job.cell === '' ? '' : `${job.cell}: `
  return [
    `    ${title}${coverage.length} boundaries, ${hits} of ${coverage.length * events.length} with an event`,
    paint('faint', line(head)),
    ...rows.map(line),
    '',
    '',
  ].join('\n')
}
