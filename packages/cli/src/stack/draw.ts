import type { StackMap, StackPointer, StackRegion } from '@trapframe/core'
import { type Paint, pad, width } from '../terminal/style.js'

/** What stands above the map. */
export interface StackTitle {
  readonly cpu: string
  readonly host: string
  readonly revision?: string
  readonly reasons: readonly string[]
}

/** Columns inside of the boxes. */
const INSIDE = 34

const KINDS: Readonly<Record<StackRegion['kind'], string>> = {
  stack: '',
  'shadow-stack': 'shadow stack',
  guard: 'guard',
  data: 'data',
}

/** The stack area from the top down: a box for each region, the pointers into it beside. */
export function drawStackMap(map: StackMap, title: StackTitle, paint: Paint): string {
  const regions = [...map.regions].sort((a, b) => (a.address < b.address ? 1 : -1))
  const digits = Math.max(...regions.map((region) => end(region).toString(16).length))
  const address = (value: bigint): string => paint('faint', value.toString(16).padStart(digits))
  const blank = ' '.repeat(digits)
  const host = title.revision === undefined ? title.host : `${title.host} (${title.revision})`
  const lines = [paint('strong', `Stacks of CPU ${map.cpu}: ${title.cpu}, ${host}, delivery ${map.delivery}`)]
  for (const reason of title.reasons) lines.push(paint('faint', reason))
  lines.push('')
  let below: bigint | undefined
  regions.forEach((region, n) => {
    const top = end(region)
    if (below === undefined || below === top) {
      lines.push(`  ${address(top)} ${border(n === 0 ? '┌┐' : '├┤')}`)
    } else {
      lines.push(`  ${address(below)} ${border('└┘')}`, `  ${blank}   ⋮`, `  ${address(top)} ${border('┌┐')}`)
    }
    below = region.address
    const pointers = [...region.pointers]
      .sort((a, b) => (a.value < b.value ? 1 : -1))
      .map((one) => pointerText(one, region, paint))
    for (const [row, text] of box(region, Math.max(1, pointers.length), paint).entries()) {
      lines.push(`  ${blank} ${text}${pointers[row] === undefined ? '' : ` ◀─ ${pointers[row]}`}`)
    }
  })
  if (below !== undefined) lines.push(`  ${address(below)} ${border('└┘')}`)
  if (map.elsewhere.length > 0) {
    lines.push('', paint('strong', 'Pointers that lead to none of these'))
    const sources = Math.max(...map.elsewhere.map(({ source }) => width(source)))
    const uses = Math.max(...map.elsewhere.map(({ use }) => width(use)))
    for (const { source, use, value } of map.elsewhere) {
      lines.push(
        `  ${pad(paint('accent', source), sources)}  ${pad(use, uses)}  ${value.toString(16).padStart(16, '0')}${remark(value, paint)}`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}

const end = (region: StackRegion): bigint => region.address + BigInt(region.bytes)

const border = ([left, right]: string): string => `${left}${'─'.repeat(INSIDE)}${right}`

/** The rows of a region's box: name and kind, size and attributes in the first. */
function box(region: StackRegion, rows: number, paint: Paint): string[] {
  const kind = KINDS[region.kind]
  const name = kind === '' || region.name.includes(kind) ? region.name : `${region.name}, ${kind}`
  const right = `${size(region.bytes)} ${access(region.attributes)}`
  const label =
    region.kind === 'guard'
      ? paint('faint', name)
      : region.kind === 'shadow-stack'
        ? paint('accent', name)
        : paint('strong', name)
  const first = `│ ${pad(label, INSIDE - 2 - width(right))}${paint('faint', right)} │`
  return [first, ...Array.from({ length: rows - 1 }, () => `│${' '.repeat(INSIDE)}│`)]
}

function size(bytes: number): string {
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`
}

/** Attributes in one column: `w`, `s`, `-` for read-only, `∅` where nothing is mapped. */
function access(attributes: string | null): string {
  return attributes === null
    ? 'not mapped'
    : attributes === ''
      ? 'read-only'
      : [...attributes].map((letter) => LETTERS[letter] ?? letter).join(', ')
}

const LETTERS: Readonly<Record<string, string>> = { w: 'writable', u: 'user', x: 'executable', s: 'shadow' }

function pointerText({ source, use, value }: StackPointer, region: StackRegion, paint: Paint): string {
  const near = value >> 16n === region.address >> 16n
  const digits = near ? `…${(value & 0xffffn).toString(16).padStart(4, '0')}` : value.toString(16)
  return `${digits}  ${paint('accent', source)}  ${paint('strong', use)}`
}

/** What a pointer to nowhere is good for. */
function remark(value: bigint, paint: Paint): string {
  if (value === 0n) return paint('faint', '  never set')
  const sign = value >> 47n
  return sign === 0n || sign === 0x1ffffn ? '' : paint('warn', '  poison: not canonical, so that any use faults')
}
