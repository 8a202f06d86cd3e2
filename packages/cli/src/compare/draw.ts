import { plural } from '../report/plural.js'
import { DELIVERY_AXIS } from '../scenario/matrix.js'
import type { CellRun } from '../session/cell-run.js'
import { type Paint, pad, painter, type Role, width, wrap } from '../terminal/style.js'
import type { Output } from '../terminal/terminal.js'
import { align, type Row } from './align.js'
import type { Comparison, Ran } from './compare-file.js'
import { type Fact, facts } from './facts.js'
import { type Line, type Milestone, milestones, type Tone } from './milestone.js'
import { drawVerdicts } from './verdicts.js'

/** Columns of a report: those of the terminal, within reason; in a pipe, these. */
const LEAST = 80
const MOST = 150
const IN_A_PIPE = 120
/** Columns of a step's number and the blank after it. */
const STEP = 5
const GAP = 2
/** Rows of the scenario's own instructions that pass without anything to say, shown in a row at most. */
const PLAIN_ROWS = 3

const ROLES: Readonly<Record<Tone, Role | null>> = {
  plain: null,
  faint: 'faint',
  good: 'good',
  bad: 'bad',
  warn: 'warn',
}

/** How wide the columns are. */
interface Grid {
  readonly label: number
  readonly column: number
  readonly count: number
}

/** Several runs of a scenario, side by side, for a tired person. */
export function drawComparison(comparison: Comparison, output: Output): string {
  const paint = painter(output)
  const total = Math.min(MOST, Math.max(LEAST, output.columns ?? IN_A_PIPE))
  const { scenario, pairs, ran } = comparison
  const lines = ['', `  ${paint('strong', scenario.name)}  ${paint('faint', scenario.file)}`]
  for (const group of pairs.groups) lines.push(...drawGroup(group, total, paint))
  for (const { item, like } of pairs.others) lines.push(...drawOther(item, like, total, paint))
  lines.push('', ...drawVerdicts(ran, paint), '')
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`
}

function drawGroup(group: readonly Ran[], total: number, paint: Paint): string[] {
  const runs = group.map(({ run }) => run)
  const rows = align(runs.map(milestones))
  const list = facts(runs)
  const grid = gridOf(rows, group.length, total, 30)
  const titles = group.map(({ cell }) => paint('title', String(cell.axes[DELIVERY_AXIS]).toUpperCase()))
  const lines = [
    `  ${paint('faint', setting(group[0]!))}`,
    '',
    record(
      grid,
      '',
      titles.map((title) => `${' '.repeat(STEP)}${title}`),
    ),
  ]
  lines.push(
    ...drawRows(rows, grid, paint),
    record(
      grid,
      'end',
      runs.map((run) => endText(run, paint)),
    ),
    '',
  )
  for (const one of list) lines.push(...drawFact(one, grid, paint))
  return lines
}

/** What the machine is, and the values of the other axes. */
function setting({ cell, run }: Ran): string {
  const { cpu, host, cpus, options } = cell.machine
  const chosen = Object.entries({ ...options, ...cell.axes })
    .filter(([name]) => name !== DELIVERY_AXIS)
    .map(([name, value]) => `${name}: ${value}`)
  const many = cpus === 1 ? '' : ` × ${cpus}`
  return [`${cpu}${many}`, host, ...chosen, ...run.machine.model.notes].join(' · ')
}

function gridOf(rows: readonly Row[], count: number, total: number, most: number): Grid {
  const label = Math.min(most, Math.max(22, ...rows.map((row) => width(row.label))))
  return { label, column: Math.floor((total - 2 - label - GAP * count) / count), count }
}

/** One line of a table. */
function record(grid: Grid, label: string, cells: readonly string[]): string {
  const gap = ' '.repeat(GAP)
  return `  ${pad(label, grid.label)}${cells.map((cell) => gap + pad(cell, grid.column)).join('')}`
}

function drawRows(rows: readonly Row[], grid: Grid, paint: Paint): string[] {
  const lines: string[] = []
  for (let i = 0; i < rows.length; i++) {
    let alike = i
    while (alike < rows.length && isPlain(rows[alike]!)) alike++
    if (alike - i > PLAIN_ROWS) {
      lines.push(...drawRow(rows[i]!, grid, paint), `  ${paint('faint', pad(`… ${alike - i - 2} more`, grid.label))}`)
      i = alike - 1
    }
    lines.push(...drawRow(rows[i]!, grid, paint))
  }
  return lines
}

const isPlain = ({ cells, skipped }: Row): boolean =>
  cells.every((cell) => cell?.plain === true) && skipped.every((count) => count === 0)

function drawRow({ label, cells, skipped }: Row, grid: Grid, paint: Paint): string[] {
  const lines: string[] = []
  if (skipped.some((count) => count > 0)) {
    const unseen = skipped.map((count) =>
      count === 0 ? '' : paint('faint', `${' '.repeat(STEP - 2)}· ${plural(count, 'instruction')}`),
    )
    lines.push(record(grid, '', unseen))
  }
  const columns = cells.map((cell) => (cell === null ? [] : cellLines(cell, grid.column, paint)))
  const names = wrap(label, grid.label).map((part, n) =>
    n === 0 && label.startsWith('↯') ? paint('warn', part) : part,
  )
  const height = Math.max(names.length, ...columns.map((column) => column.length))
  for (let n = 0; n < height; n++) {
    lines.push(
      record(
        grid,
        names[n] ?? '',
        columns.map((column) => column[n] ?? ''),
      ),
    )
  }
  return lines
}

const stepText = (step: number, paint: Paint): string => `${paint('faint', String(step).padStart(STEP - 2))}  `

function cellLines({ step, lines }: Milestone, columns: number, paint: Paint): string[] {
  const texts = lines.length === 0 ? [''] : lines.flatMap((line) => wrapLine(line, columns - STEP, paint))
  return texts.map((text, n) => (n === 0 ? stepText(step, paint) : ' '.repeat(STEP)) + text)
}

function wrapLine({ text, tone }: Line, columns: number, paint: Paint): string[] {
  const role = ROLES[tone]
  return wrap(text, columns).map((part) => (role === null ? part : paint(role, part)))
}

/** A fact: its values stand under the texts of the rows; one that holds for all may take the whole width. */
function drawFact({ name, values, equal }: Fact, grid: Grid, paint: Paint): string[] {
  const mark = equal ? paint('good', '=') : paint('accent', '≠')
  const names = wrap(name, grid.label + GAP + STEP - 4)
  const whole = grid.count * (grid.column + GAP) - GAP - STEP
  const columns = equal ? [wrap(values[0]!, whole)] : values.map((value) => wrap(value, grid.column - STEP))
  const height = Math.max(names.length, ...columns.map((column) => column.length))
  return Array.from({ length: height }, (_, n) => {
    const label = pad(`${n === 0 ? mark : ' '} ${names[n] ?? ''}`, grid.label + GAP + STEP)
    const cells = columns.map((column) => pad(column[n] ?? '', grid.column))
    return `  ${label}${cells.join(' '.repeat(GAP))}`
  })
}

/** A cell without a counterpart: where it goes another way than the one that it is most like. */
function drawOther(item: Ran, like: Ran, total: number, paint: Paint): string[] {
  const rows = align([milestones(like.run), milestones(item.run)]).filter(
    ({ cells: [a, b] }) => b && text(a) !== text(b),
  )
  const lines = [
    '',
    `  ${paint('title', item.cell.name)}  ${paint('faint', `where it differs from ${like.cell.name}`)}`,
  ]
  const grid = { ...gridOf(rows, 1, total, 30), count: 1 }
  for (const { label, cells } of rows.slice(0, MOST_OTHER_ROWS)) {
    lines.push(...drawRow({ label, cells: [cells[1] ?? null], skipped: [0] }, grid, paint))
  }
  if (rows.length > MOST_OTHER_ROWS)
    lines.push(`  ${paint('faint', `… ${rows.length - MOST_OTHER_ROWS} more rows differ`)}`)
  if (endText(item.run, paint) !== endText(like.run, paint)) lines.push(record(grid, 'end', [endText(item.run, paint)]))
  return lines
}

const MOST_OTHER_ROWS = 12

/** How a run ended, and where it stands if it did not reach the end of its program. */
function endText({ outcome, steps, machine, nameOf }: CellRun, paint: Paint): string {
  const at = outcome === 'done' ? '' : ` at ${nameOf(machine.cpu.rip)}`
  const text = `${outcome}${at}`
  return `${stepText(steps, paint)}${outcome === 'shutdown' ? paint('bad', `${text} ✗`) : text}`
}

const text = (cell: Milestone | null | undefined): string =>
  cell ? cell.lines.map((line) => line.text).join('\n') : ''
