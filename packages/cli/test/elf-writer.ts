import { assemble } from '@trapframe/isa'

/** What of a tiny image can be asked for, and what can be spoilt. */
export interface TinyElf {
  /** ET_DYN, whose addresses begin at 0; else ET_EXEC. */
  readonly movable?: boolean
  /** Address of the code; data lies in the page behind it. */
  readonly address?: bigint
  readonly code: string
  /** Quadwords of a writable segment, labelled `data`. */
  readonly data?: readonly bigint[]
  /** Indices of quadwords of data that hold an address to be relocated. */
  readonly relocate?: readonly number[]
  /** Label at which the header says that it begins. */
  readonly start?: string
  /** Leaves the section headers out. */
  readonly stripped?: boolean
}

const PAGE = 0x1000n
const HEADERS = 64 + 3 * 56

/** A 64-bit ELF image from assembly, made byte by byte: code, data, a dynamic section where something is relocated, symbols. */
export function writeElf({
  movable = false,
  address = movable ? 0n : 0x800_0000n,
  code,
  data = [],
  ...rest
}: TinyElf): Uint8Array {
  const { relocate = [], start, stripped = false } = rest
  const textAt = address + PAGE
  const dataAt = address + 2n * PAGE
  const program = assemble(code, { origin: textAt, symbols: { data: dataAt } })
  // data, then relocations, then what says where they are
  const relaAt = dataAt + BigInt(8 * data.length)
  const dynamicAt = relaAt + BigInt(24 * relocate.length)
  const dynamic = relocate.length === 0 ? [] : [7n, relaAt, 8n, BigInt(24 * relocate.length), 9n, 24n, 0n, 0n]
  const quads = [...data, ...relocate.flatMap((i) => [dataAt + BigInt(8 * i), 8n, data[i]!]), ...dynamic]
  const labels: [string, bigint][] = [...program.labels, ['data', dataAt]]
  const names = `\0${labels.map(([name]) => `${name}\0`).join('')}`
  const symbols = 24 * (labels.length + 1)
  const fileData = 2 * Number(PAGE)
  const symbolsAt = fileData + 8 * quads.length
  const namesAt = symbolsAt + symbols
  const sectionsAt = (namesAt + names.length + 7) & ~7
  const bytes = new Uint8Array(stripped ? symbolsAt : sectionsAt + 3 * 64)
  const view = new DataView(bytes.buffer)
  const u64 = (at: number, value: bigint | number): void =>
    view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  view.setUint16(16, movable ? 3 : 2, true)
  view.setUint16(18, 62, true)
  view.setUint32(20, 1, true)
  u64(24, start === undefined ? textAt : (program.labels.get(start) ?? 0n))
  u64(32, 64)
  u64(40, stripped ? 0 : sectionsAt)
  view.setUint16(52, 64, true)
  view.setUint16(54, 56, true)
  view.setUint16(56, dynamic.length > 0 ? 3 : 2, true)
  view.setUint16(58, 64, true)
  view.setUint16(60, stripped ? 0 : 3, true)
  const header = (
    n: number,
    type: number,
    flags: number,
    offset: number,
    at: bigint,
    file: number,
    size: number,
  ): void => {
    const base = 64 + 56 * n
    view.setUint32(base, type, true)
    view.setUint32(base + 4, flags, true)
    for (const [i, value] of [offset, at, at, file, size, Number(PAGE)].entries()) u64(base + 8 + 8 * i, value)
  }
  header(0, 1, 5, Number(PAGE), textAt, program.bytes.length, program.bytes.length)
  header(1, 1, 6, fileData, dataAt, 8 * quads.length, 8 * quads.length + 64)
  header(2, 2, 6, fileData + Number(dynamicAt - dataAt), dynamicAt, 8 * dynamic.length, 8 * dynamic.length)
  if (HEADERS > Number(PAGE)) throw new Error('the headers fill more than a page')
  bytes.set(program.bytes, Number(PAGE))
  for (const [i, quad] of quads.entries()) u64(fileData + 8 * i, quad)
  if (stripped) return bytes
  let name = 1
  for (const [i, [label, at]] of labels.entries()) {
    const entry = symbolsAt + 24 * (i + 1)
    view.setUint32(entry, name, true)
    bytes[entry + 4] = 0x10
    view.setUint16(entry + 6, 1, true)
    u64(entry + 8, at)
    name += label.length + 1
  }
  bytes.set(new TextEncoder().encode(names), namesAt)
  const section = (n: number, type: number, offset: number, size: number, link: number, entrySize: number): void => {
    const base = sectionsAt + 64 * n
    view.setUint32(base + 4, type, true)
    u64(base + 24, offset)
    u64(base + 32, size)
    view.setUint32(base + 40, link, true)
    u64(base + 56, entrySize)
  }
  section(1, 2, symbolsAt, symbols, 2, 24)
  section(2, 3, namesAt, names.length, 0, 0)
  return bytes
}
