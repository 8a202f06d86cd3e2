import { type Paint, pad, width } from '../terminal/style.js'
import type { BootReport } from './read-boot.js'

/** A boot for people: the decision with its reasons, the log, and what the host says of the machine, fact by fact. */
export function drawBoot(report: BootReport, paint: Paint): string {
  const { host, cpu, cmdline, delivery, reasons, log, ...facts } = report
  const lines = [
    paint('strong', `Boot of ${cpu}: ${host}, delivery ${delivery}`),
    ...(cmdline === '' ? [] : [paint('faint', `command line: ${cmdline}`)]),
    ...reasons.map((reason) => paint('faint', reason)),
    ...section('Log', log.length === 0 ? ['(empty)'] : log, paint),
  ]
  const short = Object.entries(facts).filter(([, value]) => isShort(value))
  if (short.length > 0) {
    const rows = short.map(([name, value]) => [words(name), text(value)])
    lines.push(...section('Facts', grid(rows), paint))
  }
  for (const [name, value] of Object.entries(facts)) {
    if (!isShort(value)) lines.push(...section(TITLES[name] ?? words(name), drawValue(value as object), paint))
  }
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`
}

/** Titles of facts that say more than their name. */
const TITLES: Readonly<Record<string, string>> = {
  msrs: 'MSRs',
  tables: 'Table registers',
  tss: 'TSS',
  programmed: 'Programmed, in this order',
  setUps: 'The set-ups side by side',
}

type Scalar = string | number | bigint | boolean | null

const isScalar = (value: unknown): value is Scalar => value === null || typeof value !== 'object'

/** What fits on a line: a single value, or a list of them. */
const isShort = (value: unknown): boolean => isScalar(value) || (Array.isArray(value) && value.every(isScalar))

type Row = readonly string[]

function section(title: string, rows: readonly string[], paint: Paint): string[] {
  return ['', paint('title', title), ...rows.map((row) => `  ${row}`)]
}

function drawValue(value: object): string[] {
  if (Array.isArray(value)) return grid(listRows(value as object[]))
  const entries = Object.entries(value)
  if (entries.every(([, one]) => isScalar(one))) return grid(entries.map(([name, one]) => [name, text(one)]))
  return grid(columnRows(entries))
}

/** A list of objects: a row for each, a column for each of their keys; a first cell like the one above it is left out. */
function listRows(items: readonly object[]): Row[] {
  const keys = [...new Set(items.flatMap((item) => Object.keys(item)))]
  let before: string | undefined
  const rows = items.map((item) => {
    const cells = keys.map((key) => text((item as Readonly<Record<string, unknown>>)[key]))
    const [first] = cells
    if (first === before) cells[0] = ''
    before = first
    return cells
  })
  return [keys.map(words), ...rows]
}

/** An object of objects: a column for each, a row for each of what they hold. */
function columnRows(entries: readonly (readonly [name: string, value: unknown])[]): Row[] {
  const columns = entries.map(([, value]) => new Map(isScalar(value) ? [] : flatten(value as object)))
  const keys = [...new Set(columns.flatMap((column) => [...column.keys()]))]
  return [
    ['', ...entries.map(([name]) => words(name))],
    ...keys.map((key) => [key, ...columns.map((column) => (column.has(key) ? text(column.get(key)) : '–'))]),
  ]
}

/** What an object holds, in words and one level deep: lists count. */
function flatten(value: object, prefix = ''): [name: string, value: unknown][] {
  return Object.entries(value).flatMap(([name, one]): [string, unknown][] => {
    const path = `${prefix}${words(name)}`
    if (Array.isArray(one)) return [[path, one.length]]
    return isScalar(one) ? [[path, one]] : flatten(one as object, `${path}: `)
  })
}

const ACRONYMS: ReadonlySet<string> = new Set(['idt', 'gdt', 'ldt', 'tss', 'fred'])

/** A name as people write it: `shadowStacks` is `shadow stacks`. */
function words(name: string): string {
  if (name === 'msrs') return 'MSRs'
  return ACRONYMS.has(name) ? name.toUpperCase() : name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function text(value: unknown): string {
  if (value === undefined) return ''
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) return value.map(text).join(' ')
  return typeof value === 'bigint' ? `0x${value.toString(16)}` : String(value)
}

/** Rows with their columns aligned. */
function grid(rows: readonly Row[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, n) => Math.max(0, ...rows.map((row) => width(row[n] ?? ''))))
  return rows.map((row) => row.map((cell, n) => pad(cell, widths[n]!)).join('  '))
}
