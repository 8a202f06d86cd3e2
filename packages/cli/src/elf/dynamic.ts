import { ElfBytes } from './bytes.js'
import { ElfError } from './error.js'
import type { ElfRelocation, ElfSegment } from './image.js'
import type { ProgramHeader } from './read.js'

const DT_NULL = 0n
const DT_NEEDED = 1n
const DT_PLTRELSZ = 2n
const DT_RELA = 7n
const DT_RELASZ = 8n
const DT_RELAENT = 9n
const DT_REL = 17n
const DT_JMPREL = 23n
const DT_RELR = 36n

const ENTRY_BYTES = 16
const RELA_BYTES = 24
const MOST_RELOCATIONS = 1 << 20
const R_X86_64_NONE = 0
const R_X86_64_RELATIVE = 8

/**
 * The relocations that the dynamic section names. Those of an image without libraries only add the load address.
 *
 * @throws ElfError for an image that needs a library or another kind of relocation
 */
export function readRelocations(header: ProgramHeader, segments: readonly ElfSegment[]): ElfRelocation[] {
  const entries = dynamicEntries(contentAt(segments, header.address, header.fileSize, 'dynamic section'))
  if (entries.has(DT_NEEDED)) {
    throw new ElfError('dynamic', 'it needs a shared library', 'link it with -static, or -static-pie')
  }
  if (entries.has(DT_REL))
    throw new ElfError('dynamic', 'it has relocations without addends', 'x86-64 has those with (RELA)')
  if (entries.has(DT_RELR)) {
    throw new ElfError('dynamic', 'its relocations are packed', 'link it with -z nopack-relative-relocs')
  }
  const entrySize = entries.get(DT_RELAENT)
  if (entrySize !== undefined && entrySize !== BigInt(RELA_BYTES)) {
    throw new ElfError('malformed', `its relocations have ${entrySize} bytes, not ${RELA_BYTES}`)
  }
  const tables = [
    [entries.get(DT_RELA), entries.get(DT_RELASZ)],
    [entries.get(DT_JMPREL), entries.get(DT_PLTRELSZ)],
  ] as const
  return tables.flatMap(([address, bytes]) =>
    address === undefined || bytes === undefined ? [] : relocationsAt(segments, address, bytes),
  )
}

/** Tags with their values; of a tag that comes twice the last. */
function dynamicEntries(content: Uint8Array): ReadonlyMap<bigint, bigint> {
  const bytes = new ElfBytes(content)
  const entries = new Map<bigint, bigint>()
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    const tag = bytes.u64(at)
    if (tag === DT_NULL) break
    entries.set(tag, bytes.u64(at + 8))
  }
  return entries
}

function relocationsAt(segments: readonly ElfSegment[], address: bigint, size: bigint): ElfRelocation[] {
  const bytes = new ElfBytes(contentAt(segments, address, size, 'relocations'))
  const count = Math.floor(bytes.length / RELA_BYTES)
  if (count > MOST_RELOCATIONS)
    throw new ElfError('too-big', `it has ${count} relocations`, `most: ${MOST_RELOCATIONS}`)
  const relocations: ElfRelocation[] = []
  for (let i = 0; i < count; i++) {
    const at = i * RELA_BYTES
    const type = bytes.u32(at + 8)
    if (type === R_X86_64_NONE) continue
    if (type !== R_X86_64_RELATIVE) {
      const hint =
        'R_X86_64_RELATIVE (8) only: link it with -static-pie, and without functions that are chosen at run time'
      throw new ElfError('dynamic', `it has a relocation of type ${type}`, hint)
    }
    const target = bytes.u64(at)
    const inside = segments.some((one) => target >= one.address && target + 8n <= one.address + BigInt(one.size))
    if (!inside)
      throw new ElfError('malformed', `it relocates 0x${target.toString(16)}, which lies in none of its segments`)
    relocations.push({ address: target, addend: bytes.u64(at + 16) })
  }
  return relocations
}

/** The bytes of the file that are loaded to an address. */
function contentAt(segments: readonly ElfSegment[], address: bigint, size: bigint, what: string): Uint8Array {
  const segment = segments.find(
    (one) => address >= one.address && address + size <= one.address + BigInt(one.content.length),
  )
  if (segment === undefined) throw new ElfError('malformed', `its ${what} lie in none of its segments`)
  const start = Number(address - segment.address)
  return segment.content.subarray(start, start + Number(size))
}
