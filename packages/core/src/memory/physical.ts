import type { Code } from '../instruction/code.js'
import type { Device } from './device.js'
import { foldInteger, HashSum, highTerm, lowTerm } from './hash.js'

/** Bytes of a page, which is always 4 KiB. */
export const PAGE_SIZE = 4096

export const PAGE_WORDS = PAGE_SIZE / 4
/** Frames that are kept for the next copy instead of being left to the garbage collector. */
const SPARE_FRAMES = 64

/**
 * One 4 KiB physical frame. Frames are shared between the machine and its snapshots: only a frame of the memory's
 * current epoch may be written in place. The decode table and the hash are caches of the bytes, and travel with them.
 */
export class Frame {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly words: Int32Array
  /** The epoch in which this frame was made; it is writable while that is the memory's. */
  epoch: number
  /** Decoded instructions by page offset; null while none is decoded. A write drops the table. */
  code: (Code | undefined)[] | null = null
  /** All words below this one are zero: a cache for those who look for what is used. A write below takes it down. */
  zeroBelow = 0
  /** Words written since {@link untouched}, in this frame and those that it was copied from: first, and one past the last. */
  touchedFrom = 0
  touchedTo = PAGE_WORDS
  /** The sums of the words outside of those that may have changed since {@link hash}. */
  readonly sum = new HashSum()
  #changedFrom = 0
  #changedTo = PAGE_WORDS

  constructor(bytes: Uint8Array, epoch: number) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE)
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, PAGE_WORDS)
    this.epoch = epoch
  }

  /** Hash of the content in two sums, zero for a page of zeros. Costs what was written since the last call. */
  hash(): HashSum {
    if (this.#changedTo !== 0) {
      this.sum.add(this.words, this.#changedFrom, this.#changedTo)
      this.#changedFrom = 0
      this.#changedTo = 0
    }
    return this.sum
  }

  /**
   * The words `from` to `to - 1` are about to change: what was derived from them is forgotten. Whether the hash was known
   * until now.
   */
  change(from: number, to: number): boolean {
    this.code = null
    if (from < this.zeroBelow) this.zeroBelow = from
    if (from < this.touchedFrom) this.touchedFrom = from
    if (to > this.touchedTo) this.touchedTo = to
    if (this.#changedTo === 0) {
      this.sum.remove(this.words, from, to)
      this.#changedFrom = from
      this.#changedTo = to
      return true
    }
    if (from < this.#changedFrom) {
      this.sum.remove(this.words, from, this.#changedFrom)
      this.#changedFrom = from
    }
    if (to > this.#changedTo) {
      this.sum.remove(this.words, this.#changedTo, to)
      this.#changedTo = to
    }
    return false
  }

  /** Takes over the content of another frame, with its hash. */
  become(other: Frame, epoch: number): void {
    this.words.set(other.words)
    this.epoch = epoch
    this.code = null
    this.zeroBelow = other.zeroBelow
    this.touchedFrom = other.touchedFrom
    this.touchedTo = other.touchedTo
    this.sum.lo = other.sum.lo
    this.sum.hi = other.sum.hi
    this.#changedFrom = other.#changedFrom
    this.#changedTo = other.#changedTo
  }

  /** From now on this frame is what others are compared with that are copied from it. */
  untouched(): void {
    this.touchedFrom = PAGE_WORDS
    this.touchedTo = 0
  }

  /** A page of zeros counts as no page at all: mapping or touching a page does not distinguish states. */
  isZero(): boolean {
    const { words } = this
    for (let i = 0; i < PAGE_WORDS; i++) if (words[i] !== 0) return false
    return true
  }
}

/**
 * Sparse physical memory, copy on write. Frames are numbered densely in the order of first use, so that a snapshot is a
 * copy of one array of pointers; bytes are copied when a shared frame is first written.
 */
export class PhysicalMemory {
  readonly frames: Frame[] = []
  epoch = 1
  /** Sum over all pages, as it was when {@link hash} was last called. */
  readonly #sum = new HashSum()
  /** What each page contributes to the sum. */
  readonly #lo: number[] = []
  readonly #hi: number[] = []
  /** Pages whose contribution may be another one now, and the same as flags. */
  readonly #changed: number[] = []
  readonly #isChanged: boolean[] = []
  /** Words of pages that hashes pass over. */
  readonly #ignored = new Map<number, (readonly [from: number, to: number])[]>()
  readonly #spare: Frame[] = []
  /** Devices by the dense index of their page; null where there are none. */
  devices: Map<number, Device> | null = null
  readonly #indexOf = new Map<number, number>()
  readonly #pageNumbers: number[] = []
  readonly #zero = new Frame(new Uint8Array(PAGE_SIZE), 0)
  /** Frames copied so far, for measurements. */
  copies = 0

  constructor() {
    this.#zero.hash()
  }

  /** Dense index of physical page `pageNumber` (address / 4096); a page never used before reads as zeros. */
  indexOf(pageNumber: number): number {
    let index = this.#indexOf.get(pageNumber)
    if (index === undefined) {
      index = this.#pageNumbers.length
      this.#pageNumbers.push(pageNumber)
      this.#indexOf.set(pageNumber, index)
      this.frames.push(this.#zero)
      this.#lo.push(0)
      this.#hi.push(0)
      this.#isChanged.push(false)
    }
    return index
  }

  /** Puts a device in the place of a page. Part of setting a machine up. */
  attach(device: Device): void {
    this.devices ??= new Map()
    this.devices.set(this.indexOf(Number(device.page >> 12n)), device)
  }

  /** Physical page number of dense index `index`. */
  pageNumber(index: number): number {
    return this.#pageNumbers[index]!
  }

  /**
   * The frame at a dense index, ready to be written: unshared, without caches. Only the words `from` to `to - 1` may be
   * written; left out, all of them.
   */
  writable(index: number, from = 0, to = PAGE_WORDS): Frame {
    const frame = this.frames[index]!
    if (frame.epoch !== this.epoch) return this.#copy(index, frame, from, to)
    if (frame.change(from, to)) this.#noteChange(index)
    return frame
  }

  /** Shares all frames with the caller, in `into` where that is given: neither side's later writes are seen by the other. */
  share(into?: Frame[]): Frame[] {
    this.epoch++
    if (into === undefined) return this.frames.slice()
    const { frames } = this
    into.length = frames.length
    for (let i = 0; i < frames.length; i++) into[i] = frames[i]!
    return into
  }

  /** Takes back what {@link share} gave; pages first used since then read as zeros again. */
  adopt(frames: readonly Frame[]): void {
    const now = this.frames
    const { epoch } = this
    for (let i = 0; i < now.length; i++) {
      const old = now[i]!
      const next = i < frames.length ? frames[i]! : this.#zero
      if (old === next) continue
      now[i] = next
      this.#noteChange(i)
      // A frame of the current epoch was never shared, so that nobody can see its bytes any more.
      if (old.epoch === epoch && this.#spare.length < SPARE_FRAMES) this.#spare.push(old)
    }
    this.epoch++
  }

  /**
   * Takes the frames of a snapshot for the next copies, but for those that it shares with `base`, whose frames are those of
   * now. Nobody else may have any of the others.
   */
  reclaim(frames: Frame[], base: readonly Frame[]): void {
    const spare = this.#spare
    for (let i = 0; i < frames.length && spare.length < SPARE_FRAMES; i++) {
      const frame = frames[i]!
      if (frame !== base[i] && frame !== this.#zero) spare.push(frame)
    }
    frames.length = 0
  }

  /**
   * Hash of all pages in two sums: equal contents have equal sums, whatever way led to them. Only pages that were written
   * or exchanged since the last call are looked at.
   */
  hash(): HashSum {
    const changed = this.#changed
    const sum = this.#sum
    for (let i = 0; i < changed.length; i++) {
      const index = changed[i]!
      this.#isChanged[index] = false
      sum.lo = (sum.lo - this.#lo[index]!) | 0
      sum.hi = (sum.hi - this.#hi[index]!) | 0
      this.#contribute(index, this.frames[index]!)
      sum.lo = (sum.lo + this.#lo[index]!) | 0
      sum.hi = (sum.hi + this.#hi[index]!) | 0
    }
    changed.length = 0
    return sum
  }

  /**
   * Makes hashes pass over `bytes` bytes from physical `address` on, whole 32-bit words: what must not distinguish states.
   * Part of setting a machine up.
   */
  ignoreInHash(address: bigint, bytes: number): void {
    const end = address + BigInt(bytes)
    for (let at = address & ~3n; at < end; at = (at | 0xfffn) + 1n) {
      const index = this.indexOf(Number(at >> 12n))
      const from = Number(at & 0xfffn) >>> 2
      const to = Math.min(PAGE_WORDS, from + Number((end - at + 3n) >> 2n))
      this.#ignored.set(index, [...(this.#ignored.get(index) ?? []), [from, to]])
      this.#noteChange(index)
    }
  }

  #contribute(index: number, frame: Frame): void {
    let { lo, hi } = frame.hash()
    const ignored = this.#ignored.size === 0 ? undefined : this.#ignored.get(index)
    if (ignored !== undefined) {
      const words = frame.words.slice()
      for (const [from, to] of ignored) words.fill(0, from, to)
      const rest = new HashSum()
      rest.add(words, 0, PAGE_WORDS)
      lo = rest.lo
      hi = rest.hi
    }
    if (lo === 0 && hi === 0) {
      this.#lo[index] = 0
      this.#hi[index] = 0
    } else {
      const place = foldInteger(this.#pageNumbers[index]!) ^ PAGE_SEED
      this.#lo[index] = lowTerm(lo, place)
      this.#hi[index] = highTerm(hi, place)
    }
  }

  #copy(index: number, shared: Frame, from: number, to: number): Frame {
    this.copies++
    const frame = this.#spare.pop() ?? new Frame(new Uint8Array(PAGE_SIZE), this.epoch)
    frame.become(shared, this.epoch)
    frame.change(from, to)
    this.frames[index] = frame
    this.#noteChange(index)
    return frame
  }

  #noteChange(index: number): void {
    if (this.#isChanged[index] === true) return
    this.#isChanged[index] = true
    this.#changed.push(index)
  }
}

/** Sets the terms of pages apart from those of the flat state. */
const PAGE_SEED = 0x5bd1e995
