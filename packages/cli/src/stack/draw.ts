import type { StackMap, StackPointer, StackRegion } from '@trapframe/core'
import { type Paint, pad, type Role, width } from '../terminal/style.js'

/** What stands above the map. */
export interface StackTitle {
  readonly cpu: string
  readonly host: string
  readonly revision?: string
  readonly reasons: readonly string[]
}

const KINDS: Readonly<Record<StackRegion['kind'], string>> = {
  stack: '',
  'shadow-stack': 'shadow stack',
  guard: 'guard',
  data: 'data',
}

/** The stack area from the top down: a box for each region, what may be done to it and the pointers into it beside. */
export function drawStackMap(map: StackMap, title: StackTitle, paint: Paint): string {
  const regions = [...map.regions].sort((a, b) => (a.address < b.address ? 1 : -1))
  const grid = gridOf(regions)
  const address = (value: bigint): string => paint('faint', value.toString(16).padStart(grid.digits))
  const blank = ' '.repeat(grid.digits)
  const host = title.revision === undefined ? title.host : `${title.host} (${title.revision})`
  const lines = [paint('strong', `Stacks of CPU ${map.cpu}: ${title.cpu}, ${host}, delivery ${map.delivery}`)]
  for (const reason of title.reasons) lines.push(paint('faint', reason))
  lines.push('')
  const border = ([left, right]: string): string => `${left}${'─'.repeat(grid.inside)}${right}`
  let below: bigint | undefined
  regions.forEach((region, n) => {
    const top = end(region)
    if (below === undefined || below === top) {
      lines.push(`  ${address(top)} ${border(n === 0 ? '┌┐' : '├┤')}`)
    } else {
      lines.push(`  ${address(below)} ${border('└┘')}`, `  ${blank}   ⋮`, `  ${address(top)} ${border('┌┐')}`)
    }
    below = region.address
    for (const row of box(region, grid, paint)) lines.push(`  ${blank} ${row}`.trimEnd())
  })
  if (below !== undefined) lines.push(`  ${address(below)} ${border('└┘')}`)
  if (map.elsewhere.length > 0) lines.push('', ...drawElsewhere(map.elsewhere, paint))
  return `${lines.join('\n')}\n`
}

/** How wide things are. */
interface Grid {
  readonly digits: number
  readonly inside: number
  readonly access: number
  readonly source: number
}

function gridOf(regions: readonly StackRegion[]): Grid {
  const widest = (texts: readonly string[], least = 0): number => Math.max(least, ...texts.map(width))
  return {
    digits: widest(regions.map((region) => end(region).toString(16))),
    inside:
      widest(
        regions.map((region) => `${label(region)}    ${size(region.bytes)}`),
        24,
      ) + 2,
    access: widest(regions.map((region) => access(region.attributes))),
    source: widest(regions.flatMap(({ pointers }) => pointers.map(({ source }) => source))),
  }
}

const end = (region: StackRegion): bigint => region.address + BigInt(region.bytes)

/** The rows of a region: a box with name, kind and size, and a pointer a row. */
function box(region: StackRegion, grid: Grid, paint: Paint): string[] {
  const pointers = [...region.pointers].sort((a, b) => (a.value < b.value ? 1 : -1))
  const right = size(region.bytes)
  const name = paint(ROLES[region.kind], label(region))
  return Array.from({ length: Math.max(1, pointers.length) }, (_, row) => {
    const inside =
      row === 0 ? pad(name, grid.inside - 2 - width(right)) + paint('faint', right) : ' '.repeat(grid.inside - 2)
    const attributes = pad(row === 0 ? access(region.attributes) : '', grid.access)
    const pointer = pointers[row]
    const arrow = pointer === undefined ? '' : `  ◀─ ${pointerText(pointer, region, grid, paint)}`
    return `│ ${inside} │ ${paint('faint', attributes)}${arrow}`
  })
}

const ROLES: Readonly<Record<StackRegion['kind'], Role>> = {
  stack: 'strong',
  'shadow-stack': 'accent',
  guard: 'faint',
  data: 'faint',
}

/** Name and kind, each word once. */
function label({ name, kind }: StackRegion): string {
  const word = KINDS[kind]
  return word === '' || name.includes(word) ? name : `${name}, ${word}`
}

function size(bytes: number): string {
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`
}

function access(attributes: string | null): string {
  if (attributes === null) return 'not mapped'
  return attributes === '' ? 'read-only' : [...attributes].map((letter) => LETTERS[letter] ?? letter).join(', ')
}

const LETTERS: Readonly<Record<string, string>> = { w: 'writable', u: 'user', x: 'executable', s: 'shadow' }

/** The last digits say enough where the rest is that of the region. */
function pointerText({ source, use, value }: StackPointer, region: StackRegion, grid: Grid, paint: Paint): string {
  const near = (value - 1n) >> 16n === region.address >> 16n
  const digits = near ? `…${(value & 0xffffn).toString(16).padStart(4, '0')}` : value.toString(16)
  return `${digits}  ${paint('accent', pad(source, grid.source))}  ${use}`
}

function drawElsewhere(pointers: readonly StackPointer[], paint: Paint): string[] {
  const sources = Math.max(...pointers.map(({ source }) => width(source)))
  const uses = Math.max(...pointers.map(({ use }) => width(use)))
  const lines = pointers.map(({ source, use, value }) => {
    const digits = value.toString(16).padStart(16, '0')
    return `  ${pad(paint('accent', source), sources)}  ${pad(use, uses)}  ${digits}${remark(value, paint)}`
  })
  return [paint('strong', 'Pointers that lead to none of these'), ...lines]
}

/** What a pointer to nowhere is good for. */
function remark(value: bigint, paint: Paint): string {
  if (value === 0n) return paint('faint', '  never set')
  const sign = value >> 47n
  return sign === 0n || sign === 0x1ffffn ? '' : paint('warn', '  not canonical: any use faults')
}
