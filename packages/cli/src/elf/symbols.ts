import type { ElfBytes } from './bytes.js'
import { ElfError } from './error.js'

const SECTION_HEADER_BYTES = 64
const SYMBOL_BYTES = 24
const SHT_SYMTAB = 2
const SHT_DYNSYM = 11
const SHN_UNDEF = 0
/** Types of symbols that are places: none, object, function. */
const PLACES: ReadonlySet<number> = new Set([0, 1, 2])
const STB_LOCAL = 0

const MOST_SYMBOLS = 1 << 18
const LONGEST_NAME = 512
/** What a scenario can name; the names of others stay unknown. */
const NAME = /^[A-Za-z_.$?@][A-Za-z0-9_.$?@]*$/

interface Section {
  readonly type: number
  readonly offset: bigint
  readonly size: bigint
  readonly link: number
  readonly entrySize: bigint
}

/** Symbols of the symbol table, or of the dynamic one where that was stripped; none where there is neither. */
export function readSymbols(bytes: ElfBytes): ReadonlyMap<string, bigint> {
  const sections = readSections(bytes)
  const table = sections.find(({ type }) => type === SHT_SYMTAB) ?? sections.find(({ type }) => type === SHT_DYNSYM)
  if (table === undefined) return new Map()
  const names = sections[table.link]
  if (names === undefined || table.entrySize !== BigInt(SYMBOL_BYTES)) {
    throw new ElfError('malformed', 'its symbol table cannot be read', 'strip it, or link it again')
  }
  const start = bytes.offset(table.offset, table.size, 'symbol table')
  const strings = bytes.slice(names.offset, names.size, 'names of symbols')
  const count = Math.floor(Number(table.size) / SYMBOL_BYTES)
  if (count > MOST_SYMBOLS) throw new ElfError('too-big', `it has ${count} symbols`, `most: ${MOST_SYMBOLS}`)
  const local = new Map<string, bigint>()
  const global = new Map<string, bigint>()
  const ambiguous = new Set<string>()
  for (let i = 0; i < count; i++) {
    const at = start + i * SYMBOL_BYTES
    const info = bytes.u8(at + 4)
    if (bytes.u16(at + 6) === SHN_UNDEF || !PLACES.has(info & 15)) continue
    const name = nameAt(strings, bytes.u32(at))
    if (name === undefined) continue
    const value = bytes.u64(at + 8)
    if (info >> 4 !== STB_LOCAL) global.set(name, value)
    else if (local.has(name) && local.get(name) !== value) ambiguous.add(name)
    else local.set(name, value)
  }
  // A name that several files use for places of their own names none of them.
  for (const name of ambiguous) local.delete(name)
  return new Map([...local, ...global])
}

function readSections(bytes: ElfBytes): Section[] {
  const offset = bytes.u64(40)
  const entrySize = bytes.u16(58)
  if (offset === 0n) return []
  if (entrySize !== SECTION_HEADER_BYTES) {
    throw new ElfError('malformed', `its section headers have ${entrySize} bytes, not ${SECTION_HEADER_BYTES}`)
  }
  const first = bytes.offset(offset, BigInt(entrySize), 'section headers')
  // Of more than 65279 sections the first one tells how many.
  const count = bytes.u16(60) === 0 ? bytes.u64(first + 32) : BigInt(bytes.u16(60))
  bytes.offset(offset, count * BigInt(entrySize), 'section headers')
  const sections: Section[] = []
  for (let i = 0; i < Number(count); i++) {
    const at = first + i * entrySize
    sections.push({
      type: bytes.u32(at + 4),
      offset: bytes.u64(at + 24),
      size: bytes.u64(at + 32),
      link: bytes.u32(at + 40),
      entrySize: bytes.u64(at + 56),
    })
  }
  return sections
}

function nameAt(strings: Uint8Array, start: number): string | undefined {
  const end = strings.subarray(start, start + LONGEST_NAME).indexOf(0)
  if (end <= 0) return undefined
  const name = String.fromCharCode(...strings.subarray(start, start + end))
  return NAME.test(name) ? name : undefined
}
