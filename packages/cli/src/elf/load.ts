import {
  type AddressSpace,
  type Boot,
  type Machine,
  type MemoryArea,
  PAGE_EXECUTABLE,
  PAGE_SIZE,
  PAGE_USER,
  PAGE_WRITABLE,
  type ProgramSite,
} from '@trapframe/core'
import { contains, hex } from '../session/symbols.js'
import { ElfError } from './error.js'
import type { ElfImage } from './image.js'

const PAGE = BigInt(PAGE_SIZE)
/** Images take frames from here on, behind all that a host has. */
const FIRST_FRAME = 1n << 40n
/** Distances at which a place for a movable image is looked for, from the site's origin on, and how many are tried. */
const STRIDE = 1n << 24n
const TRIES = 64n

/** An image in a machine. */
export interface LoadedImage {
  /** Added to all addresses of the image. */
  readonly base: bigint
  /** The pages that it takes. */
  readonly areas: readonly MemoryArea[]
  /** Symbols with the base added. */
  readonly symbols: ReadonlyMap<string, bigint>
  /** Maps the image's pages into an address space that does not have them yet. */
  mapInto(space: AddressSpace): void
}

interface ImagePage {
  readonly address: bigint
  readonly flags: number
  readonly frame: bigint
}

/**
 * Loads an image: each segment's pages with its permissions, for ring 3 where the site is for ring 3. Of segments that
 * share a page both permissions hold there. It may lie where the site has its own code, and nowhere else where something is mapped.
 *
 * @param base where a movable image goes; left out, to the first free place behind the site
 * @throws ElfError where it cannot be
 */
export function loadImage(
  image: ElfImage,
  machine: Machine,
  boot: Boot,
  site: ProgramSite,
  base?: bigint,
): LoadedImage {
  const { space } = machine.cpu
  const start = image.movable ? (base ?? freePlace(image, machine, site)) : 0n
  const clash = firstClash(image, start, machine, site)
  if (clash !== undefined) throw new ElfError('malformed', clash.message(boot), clash.hint)
  const pages = layPages(image, start, machine, site)
  const loaded: LoadedImage = {
    base: start,
    areas: pages.map(({ address }) => ({ address, bytes: PAGE_SIZE })),
    symbols: new Map([...image.symbols].map(([name, value]) => [name, BigInt.asUintN(64, value + start)])),
    mapInto(other) {
      for (const { address, flags, frame } of pages) other.map(address, flags, 1, frame)
    },
  }
  loaded.mapInto(space)
  const zeros = new Uint8Array(PAGE_SIZE)
  for (const { address } of pages) space.write(address, zeros)
  for (const { address, content } of image.segments) {
    if (content.length > 0) space.write(BigInt.asUintN(64, address + start), content)
  }
  for (const { address, addend } of image.relocations) {
    space.write64(BigInt.asUintN(64, address + start), BigInt.asUintN(64, addend + start))
  }
  return loaded
}

/** Every page of the image with the union of its segments' permissions. */
function layPages(image: ElfImage, base: bigint, machine: Machine, site: ProgramSite): ImagePage[] {
  const flags = new Map<bigint, number>()
  for (const segment of image.segments) {
    const own =
      (segment.writable ? PAGE_WRITABLE : 0) |
      (segment.executable ? PAGE_EXECUTABLE : 0) |
      (site.cpl === 3 ? PAGE_USER : 0)
    for (const page of pagesOf(segment, base)) flags.set(page, (flags.get(page) ?? 0) | own)
  }
  const { memory } = machine
  let frame = FIRST_FRAME
  for (let i = 0; i < memory.frames.length; i++) {
    const used = BigInt(memory.pageNumber(i)) * PAGE
    if (used >= frame) frame = used + PAGE
  }
  return [...flags].map(([address, own], i) => ({ address, flags: own, frame: frame + BigInt(i) * PAGE }))
}

function* pagesOf({ address, size }: { address: bigint; size: number }, base: bigint): Generator<bigint> {
  const start = address + base
  const end = start + BigInt(size)
  for (let page = start - (start % PAGE); page < end; page += PAGE) yield page
}

/** Why an image cannot lie somewhere. */
interface Clash {
  message(boot: Boot): string
  readonly hint?: string
}

function firstClash(image: ElfImage, base: bigint, machine: Machine, site: ProgramSite): Clash | undefined {
  const { space } = machine.cpu
  const limit = 1n << BigInt(machine.model.linearAddressBits - 1)
  const own = { address: site.origin, bytes: site.capacity }
  for (const segment of image.segments) {
    const first = segment.address + base
    const last = first + BigInt(segment.size) - 1n
    const range = `its segment at ${hex(first)} to ${hex(last + 1n)}`
    const high = (1n << 64n) - limit
    if (!(last < limit || (first >= high && last < 1n << 64n))) return { message: () => `${range} is not canonical` }
    for (const page of pagesOf(segment, base)) {
      if (space.flagsAt(page) === 0 || contains(own, page)) continue
      return {
        message: (boot) => `${range} overlaps ${ownerOf(page, machine, boot)}`,
        hint: image.movable ? 'give another "base", or none' : 'link it elsewhere: -Ttext-segment=0x10000000',
      }
    }
  }
  return undefined
}

/** Whose memory a page is, for people. */
function ownerOf(page: bigint, machine: Machine, boot: Boot): string {
  const region = boot.stackMap(machine.cpu).regions.find((one) => contains(one, page))
  if (region !== undefined) return `the host's stack "${region.name}"`
  const area = Object.entries(boot.areas).find(([, parts]) => parts.some((part) => contains(part, page)))
  return area === undefined ? 'memory that is mapped already' : `memory of the ${area[0]}`
}

function freePlace(image: ElfImage, machine: Machine, site: ProgramSite): bigint {
  const lowest = image.segments.map(({ address }) => address).sort((a, b) => (a < b ? -1 : 1))[0] ?? 0n
  const origin = site.origin - (site.origin % STRIDE) - (lowest - (lowest % PAGE))
  for (let n = 1n; n <= TRIES; n++) {
    const base = origin + n * STRIDE
    if (base >= 0n && firstClash(image, base, machine, site) === undefined) return base
  }
  throw new ElfError('malformed', 'there is no free place for it near the host', 'give it a "base"')
}
