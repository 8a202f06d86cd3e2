import { ElfBytes } from './bytes.js'
import { readRelocations } from './dynamic.js'
import { ElfError } from './error.js'
import type { ElfImage, ElfSegment } from './image.js'
import { readSymbols } from './symbols.js'

const HEADER_BYTES = 64n
const PROGRAM_HEADER_BYTES = 56
const MAGIC = 0x464c457f
const MACHINE_X86_64 = 62

/** Most memory of an image, and most segments. */
export const MOST_IMAGE_BYTES = 64 << 20
const MOST_SEGMENTS = 64

const PT_LOAD = 1
const PT_DYNAMIC = 2
const PT_INTERP = 3
const FLAG_EXECUTE = 1
const FLAG_WRITE = 2

const TYPES: Readonly<Record<number, readonly [what: string, hint: string]>> = {
  1: ['an object file', 'link it first: ld -static -o image.elf file.o'],
  4: ['a core dump', 'give the program itself'],
}

const MACHINES: Readonly<Record<number, string>> = { 3: 'i386', 40: 'Arm', 183: 'AArch64', 243: 'RISC-V' }

/**
 * Reads an ELF image for x86-64: header, loadable segments, symbols, relocations. Every offset and count of the file is
 * checked before it is used, so that any bytes at all are safe to give.
 *
 * @throws ElfError and nothing else: what is wrong with the file, and what to do about it
 */
export function readElf(file: Uint8Array): ElfImage {
  const bytes = new ElfBytes(file)
  if (bytes.length < 4 || bytes.u32(0) !== MAGIC) {
    throw new ElfError('not-elf', 'it is no ELF file', 'assembly is written in the scenario itself, after |')
  }
  bytes.offset(0n, HEADER_BYTES, 'header')
  checkKind(bytes)
  const movable = bytes.u16(16) === 3
  const headers = programHeaders(bytes)
  if (headers.some(({ type }) => type === PT_INTERP)) {
    throw new ElfError('dynamic', 'it needs a dynamic linker', 'link it with -static, or -static-pie')
  }
  const segments = headers.filter(({ type, size }) => type === PT_LOAD && size > 0n).map((one) => segmentOf(bytes, one))
  if (segments.length === 0)
    throw new ElfError('malformed', 'it has nothing to load', 'no PT_LOAD in its program headers')
  checkOverlap(segments)
  const size = segments.reduce((sum, segment) => sum + segment.size, 0)
  if (size > MOST_IMAGE_BYTES) {
    throw new ElfError('too-big', `it takes ${size} bytes of memory`, `most: ${MOST_IMAGE_BYTES >> 20} MiB`)
  }
  const dynamic = headers.find(({ type }) => type === PT_DYNAMIC)
  return {
    movable,
    entry: bytes.u64(24),
    segments,
    symbols: readSymbols(bytes),
    relocations: dynamic === undefined ? [] : readRelocations(dynamic, segments),
    size,
  }
}

function checkKind(bytes: ElfBytes): void {
  const [size, order, type, machine] = [bytes.u8(4), bytes.u8(5), bytes.u16(16), bytes.u16(18)]
  if (size === 1) throw new ElfError('class', 'it is a 32-bit ELF file', 'images have 64 bits: compile with -m64')
  if (size !== 2) throw new ElfError('malformed', `it is of no known class: ${size}`)
  if (order !== 1) throw new ElfError('byte-order', 'it is not little-endian', 'images are for x86-64')
  if (machine !== MACHINE_X86_64) {
    const name = MACHINES[machine] ?? `machine ${machine}`
    throw new ElfError('machine', `it is for ${name}, not for x86-64`, 'compile it for x86-64')
  }
  if (type === 2 || type === 3) return
  const [what, hint] = TYPES[type] ?? [`of type ${type}`, 'an executable has type 2 or 3']
  throw new ElfError('type', `it is ${what}, not an executable`, hint)
}

/** A program header. */
export interface ProgramHeader {
  readonly type: number
  readonly flags: number
  readonly offset: bigint
  readonly address: bigint
  readonly fileSize: bigint
  readonly size: bigint
}

function programHeaders(bytes: ElfBytes): ProgramHeader[] {
  const [entrySize, count] = [bytes.u16(54), bytes.u16(56)]
  if (count === 0) throw new ElfError('malformed', 'it has nothing to load', 'it has no program headers')
  if (entrySize !== PROGRAM_HEADER_BYTES) {
    throw new ElfError('malformed', `its program headers have ${entrySize} bytes, not ${PROGRAM_HEADER_BYTES}`)
  }
  if (count > MOST_SEGMENTS) throw new ElfError('too-big', `it has ${count} segments`, `most: ${MOST_SEGMENTS}`)
  const start = bytes.offset(bytes.u64(32), BigInt(count * entrySize), 'program headers')
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * entrySize
    return {
      type: bytes.u32(at),
      flags: bytes.u32(at + 4),
      offset: bytes.u64(at + 8),
      address: bytes.u64(at + 16),
      fileSize: bytes.u64(at + 32),
      size: bytes.u64(at + 40),
    }
  })
}

function segmentOf(bytes: ElfBytes, { flags, offset, address, fileSize, size }: ProgramHeader): ElfSegment {
  const where = `its segment at 0x${address.toString(16)}`
  if (fileSize > size) throw new ElfError('malformed', `${where} has more bytes in the file than in memory`)
  if (size > BigInt(MOST_IMAGE_BYTES)) {
    throw new ElfError('too-big', `${where} takes ${size} bytes`, `most: ${MOST_IMAGE_BYTES >> 20} MiB`)
  }
  if (address + size > 1n << 64n) throw new ElfError('malformed', `${where} goes beyond 64 bits`)
  return {
    address,
    content: bytes.slice(offset, fileSize, `segment at 0x${address.toString(16)}`),
    size: Number(size),
    writable: (flags & FLAG_WRITE) !== 0,
    executable: (flags & FLAG_EXECUTE) !== 0,
  }
}

function checkOverlap(segments: readonly ElfSegment[]): void {
  const sorted = [...segments].sort((a, b) => (a.address < b.address ? -1 : 1))
  for (const [i, segment] of sorted.entries()) {
    const next = sorted[i + 1]
    if (next === undefined || segment.address + BigInt(segment.size) <= next.address) continue
    throw new ElfError(
      'malformed',
      `its segments at 0x${segment.address.toString(16)} and 0x${next.address.toString(16)} overlap`,
    )
  }
}
