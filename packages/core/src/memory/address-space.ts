import { PAGE_PRESENT } from './access.js'
import { foldInteger, HashSum, highTerm, lowTerm } from './hash.js'
import { PAGE_SIZE, type PhysicalMemory } from './physical.js'

/** Slots of the lookup cache; a power of two, of which the shift takes the highest bits of the spread page number. */
const CACHE_SLOTS = 256
const CACHE_SHIFT = 24
/** 2³² divided by the golden ratio: pages at round distances, which tables and stacks have, do not share slots. */
const SPREAD = 0x9e3779b1
/** An entry is the dense frame index above five attribute bits. */
export const ENTRY_FLAGS = 31
export const ENTRY_INDEX_SHIFT = 5

/** A contiguous run of pages with equal attributes, for people and for tests. */
export interface MappedPage {
  /** Linear address of the page. */
  readonly address: bigint
  /** Physical address of its frame. */
  readonly physical: bigint
  /** Attributes: PAGE_WRITABLE, PAGE_USER, … */
  readonly flags: number
}

/** Host software, or a caller, went to a linear address where nothing is mapped. */
export class UnmappedError extends RangeError {
  constructor(address: bigint) {
    super(`nothing is mapped at 0x${address.toString(16)}`)
    this.name = 'UnmappedError'
  }
}

/**
 * Linear pages and what they map to. Architecturally there is no TLB: a change is seen by the next access. The cache
 * inside only makes the lookup fast.
 */
export class AddressSpace {
  readonly memory: PhysicalMemory
  #table = new Map<number, number>()
  /** The table is part of a snapshot: copy before changing it. */
  #shared = false
  readonly #tagLo = new Int32Array(CACHE_SLOTS).fill(-1)
  readonly #tagHi = new Int32Array(CACHE_SLOTS)
  readonly #entries = new Int32Array(CACHE_SLOTS)
  /** Hashes by table; a table that changes in place loses its own. */
  readonly #sums = new WeakMap<ReadonlyMap<number, number>, HashSum>()

  constructor(memory: PhysicalMemory) {
    this.memory = memory
  }

  /**
   * The entry for the page of linear address `hi:lo`: frame index << 5 | attributes, 0 where nothing is mapped or a device
   * is. Hot: every fetch, load and store comes through here.
   */
  lookup(lo: number, hi: number): number {
    const number = lo >>> 12
    const slot = Math.imul(number ^ hi, SPREAD) >>> CACHE_SHIFT
    if (this.#tagLo[slot] === number && this.#tagHi[slot] === hi) return this.#entries[slot]!
    let entry = this.#table.get((hi >>> 0) * 0x100000 + number) ?? 0
    if (this.memory.devices?.has(entry >> ENTRY_INDEX_SHIFT)) entry = 0
    this.#tagLo[slot] = number
    this.#tagHi[slot] = hi
    this.#entries[slot] = entry
    return entry
  }

  /** The entry of a page that is a device's; 0 for any other. */
  deviceEntry(lo: number, hi: number): number {
    if (this.memory.devices === null) return 0
    const entry = this.#table.get((hi >>> 0) * 0x100000 + (lo >>> 12)) ?? 0
    return entry !== 0 && this.memory.devices.has(entry >> ENTRY_INDEX_SHIFT) ? entry : 0
  }

  /**
   * Maps `count` pages from linear `address` on to the frames from `physical` on (default: the same address), with
   * attributes `flags` (PAGE_PRESENT is implied). Mapping a page again replaces it.
   */
  map(address: bigint, flags: number, count = 1, physical: bigint = address): void {
    this.#unshare()
    for (let i = 0; i < count; i++) {
      const offset = BigInt(i * PAGE_SIZE)
      const index = this.memory.indexOf(pageNumber(physical + offset))
      this.#table.set(pageNumber(address + offset), (index << ENTRY_INDEX_SHIFT) | flags | PAGE_PRESENT)
    }
    this.#flush()
  }

  /** Removes `count` pages from linear `address` on; the frames keep their bytes. */
  unmap(address: bigint, count = 1): void {
    this.#unshare()
    for (let i = 0; i < count; i++) this.#table.delete(pageNumber(address + BigInt(i * PAGE_SIZE)))
    this.#flush()
  }

  /** Attributes of the page of a linear address; 0 where nothing is mapped. */
  flagsAt(address: bigint): number {
    return (this.#table.get(pageNumber(address)) ?? 0) & ENTRY_FLAGS
  }

  /** Physical address of a linear one; null where nothing is mapped. */
  physicalAt(address: bigint): bigint | null {
    const entry = this.#table.get(pageNumber(address)) ?? 0
    if (entry === 0) return null
    return BigInt(this.memory.pageNumber(entry >> ENTRY_INDEX_SHIFT)) * BigInt(PAGE_SIZE) + (address & 0xfffn)
  }

  /** Copies `length` bytes from linear `address` on, whatever the attributes. @throws UnmappedError where nothing is mapped */
  read(address: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.#eachPage(address, length, (index, offset, from, count) => {
      bytes.set(this.memory.frames[index]!.bytes.subarray(offset, offset + count), from)
    })
    return bytes
  }

  /** Writes bytes from linear `address` on, whatever the attributes. @throws UnmappedError where nothing is mapped */
  write(address: bigint, bytes: Uint8Array): void {
    this.#eachPage(address, bytes.length, () => {})
    this.#eachPage(address, bytes.length, (index, offset, from, count) => {
      this.memory.writable(index).bytes.set(bytes.subarray(from, from + count), offset)
    })
  }

  /** 64 bits at a linear address, whatever the attributes. */
  read64(address: bigint): bigint {
    return new DataView(this.read(address, 8).buffer).getBigUint64(0, true)
  }

  write64(address: bigint, value: bigint): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true)
    this.write(address, bytes)
  }

  #eachPage(
    address: bigint,
    length: number,
    visit: (index: number, offset: number, from: number, count: number) => void,
  ): void {
    let done = 0
    while (done < length) {
      const at = BigInt.asUintN(64, address + BigInt(done))
      const entry = this.#table.get(pageNumber(at)) ?? 0
      if (entry === 0) throw new UnmappedError(at)
      const offset = Number(at & 0xfffn)
      const count = Math.min(PAGE_SIZE - offset, length - done)
      visit(entry >> ENTRY_INDEX_SHIFT, offset, done, count)
      done += count
    }
  }

  /** Every mapped page, by linear address. */
  pages(): MappedPage[] {
    const pages: MappedPage[] = []
    for (const [number, entry] of this.#table) {
      pages.push({
        address: BigInt.asUintN(64, BigInt(number) << 12n),
        physical: BigInt(this.memory.pageNumber(entry >> ENTRY_INDEX_SHIFT)) << 12n,
        flags: entry & ENTRY_FLAGS,
      })
    }
    return pages.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
  }

  /** The table itself, for a snapshot; it is copied before the next change. */
  share(): ReadonlyMap<number, number> {
    this.#shared = true
    return this.#table
  }

  /** Takes back what {@link share} gave. */
  adopt(table: ReadonlyMap<number, number>): void {
    if (this.#table === table) return
    this.#table = table as Map<number, number>
    this.#shared = true
    this.#flush()
  }

  /** Order-independent hash of the mappings in two sums, zero for none. Cached until they change. */
  hash(): HashSum {
    let sum = this.#sums.get(this.#table)
    if (sum === undefined) {
      sum = new HashSum()
      for (const [number, entry] of this.#table) {
        const page = foldInteger(this.memory.pageNumber(entry >> ENTRY_INDEX_SHIFT))
        const what = Math.imul(page, 0x2545f491) ^ Math.imul(entry & ENTRY_FLAGS, 0x7f4a7c15)
        const place = foldInteger(number)
        sum.lo = (sum.lo + lowTerm(what, place)) | 0
        sum.hi = (sum.hi + highTerm(what, place)) | 0
      }
      this.#sums.set(this.#table, sum)
    }
    return sum
  }

  #unshare(): void {
    if (!this.#shared) {
      this.#sums.delete(this.#table)
      return
    }
    this.#table = new Map(this.#table)
    this.#shared = false
  }

  #flush(): void {
    this.#tagLo.fill(-1)
  }
}

/** Number of the page that holds a linear or physical address: exact in a double, for 52 bits are enough. */
function pageNumber(address: bigint): number {
  return Number(BigInt.asUintN(64, address) >> 12n)
}
