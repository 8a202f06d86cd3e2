import { type Paint, pad, painter, width } from '../terminal/style.js'
import type { Output } from '../terminal/terminal.js'
import type { Effect } from './disturb.js'
import type { Interleaving } from './interleave-file.js'
import { type CellRows, stretches, sums } from './rows.js'

const HEAD = ['', 'event', 'boundaries', 'good stack', 'bad stack', 'frame clobbered', 'ended otherwise'] as const
const NUMBERS = [2, 3] as const

/** A table with a row for each cell and event, and where its bad boundaries are. */
export function drawInterleaving({ scenario, cells }: Interleaving, output: Pick<Output, 'color'>): string {
  const paint = painter(output)
  const rows = cells.map((cell) => tableRows(cell, paint))
  const widths = HEAD.map((head, n) => Math.max(width(head), ...rows.flat().map((row) => width(row[n]!))))
  const line = (row: readonly string[]): string =>
    `  ${row.map((text, n) => (isNumber(n) ? ' '.repeat(widths[n]! - width(text)) + text : pad(text, widths[n]!))).join('  ')}`.trimEnd()
  const lines = [
    '',
    `  ${paint('strong', scenario.name)}  ${paint('faint', scenario.file)}`,
    '',
    line(HEAD.map((head) => paint('faint', head))),
  ]
  cells.forEach((cell, n) => {
    lines.push(...rows[n]!.map(line), ...places(cell, paint).map((text) => `      ${text}`))
  })
  return `${lines.join('\n')}\n\n`
}

const isNumber = (n: number): boolean => (NUMBERS as readonly number[]).includes(n)

function tableRows({ cell, events }: CellRows, paint: Paint): string[][] {
  return events.map((row, n) => {
    const { boundaries, good, bad, clobbered, otherwise } = sums(row)
    return [
      n === 0 ? cell.name : '',
      row.event,
      String(boundaries),
      good === boundaries ? paint('good', String(good)) : String(good),
      counted(bad, paint),
      counted(clobbered, paint),
      counted(otherwise, paint),
    ]
  })
}

/** `5 guest, 2 NMI`. */
const counted = (counts: ReadonlyMap<string, number>, paint: Paint): string =>
  counts.size === 0
    ? paint('faint', '–')
    : paint('bad', [...counts].map(([what, count]) => `${count} ${what}`).join(', '))

/** What can be wrong at a boundary, and what it is called. */
const WRONGS: readonly (readonly [what: string, is: (effect: Effect) => boolean])[] = [
  ['bad stack', ({ frame }) => frame?.good === false],
  ['frame clobbered', ({ clobbered }) => clobbered.length > 0],
]

/** Where it is wrong; events for which that is in the same places together. */
function places({ boundaries, events }: CellRows, paint: Paint): string[] {
  return WRONGS.flatMap(([what, is]) => {
    const byPlace = new Map<string, string[]>()
    for (const { event, effects } of events) {
      const text = stretches(boundaries, effects, is)
        .map(({ first, last, count }) => (count === 1 ? first : `${first} … ${last} (${count})`))
        .join(', ')
      if (text !== '') byPlace.set(text, [...(byPlace.get(text) ?? []), event])
    }
    return [...byPlace].map(([text, names]) => paint('faint', `${what}, ${names.join(', ')}: ${text}`))
  })
}
