import type { Code } from '../instruction/code.js'

export const PAGE_SIZE = 4096

/**
 * One 4 KiB physical frame. Frames are shared between the machine and its snapshots: only a frame of the memory's
 * current epoch may be written in place. The decode table and the hash are caches of the bytes, and travel with them.
 */
export class Frame {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** The epoch in which this frame was made; it is writable while that is the memory's. */
  readonly epoch: number
  /** Decoded instructions by page offset; null while none is decoded. A write drops the table. */
  code: (Code | undefined)[] | null = null
  /** Hash of the bytes, 0 while unknown, 1 for all zeros (see `hash`). */
  #hash: number

  constructor(bytes: Uint8Array, epoch: number, hash = 0) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE)
    this.epoch = epoch
    this.#hash = hash
  }

  /** A non-zero 32-bit hash of the content; {@link ZERO_HASH} for a page of zeros. Cached until the next write. */
  hash(): number {
    if (this.#hash === 0) this.#hash = hashBytes(this.view)
    return this.#hash
  }

  /** Forget what was derived from the bytes: they are about to change. */
  invalidate(): void {
    this.#hash = 0
    this.code = null
  }
}

/** Hash of a page of zeros, which counts as no page at all: mapping or touching a page does not distinguish states. */
export const ZERO_HASH = 1

function hashBytes(view: DataView): number {
  let a = 0x9e3779b9 | 0
  let any = 0
  for (let offset = 0; offset < PAGE_SIZE; offset += 4) {
    const word = view.getInt32(offset, true)
    any |= word
    a = Math.imul(a ^ word, 0x85ebca6b)
    a ^= a >>> 15
  }
  if (any === 0) return ZERO_HASH
  return a === 0 || a === ZERO_HASH ? 2 : a
}

/**
 * Sparse physical memory, copy on write. Frames are numbered densely in the order of first use, so that a snapshot is a
 * copy of one array of pointers; bytes are copied when a shared frame is first written.
 */
export class PhysicalMemory {
  frames: Frame[] = []
  epoch = 1
  readonly #indexOf = new Map<number, number>()
  readonly #pageNumbers: number[] = []
  readonly #zero = new Frame(new Uint8Array(PAGE_SIZE), 0, ZERO_HASH)

  /** Dense index of physical page `pageNumber` (address / 4096); a page never used before reads as zeros. */
  indexOf(pageNumber: number): number {
    let index = this.#indexOf.get(pageNumber)
    if (index === undefined) {
      index = this.#pageNumbers.length
      this.#pageNumbers.push(pageNumber)
      this.#indexOf.set(pageNumber, index)
      this.frames.push(this.#zero)
    }
    return index
  }

  /** Physical page number of dense index `index`. */
  pageNumber(index: number): number {
    return this.#pageNumbers[index]!
  }

  /** The frame at a dense index, ready to be written: unshared, without caches. */
  writable(index: number): Frame {
    let frame = this.frames[index]!
    if (frame.epoch !== this.epoch) {
      frame = new Frame(frame.bytes.slice(), this.epoch)
      this.frames[index] = frame
    } else {
      frame.invalidate()
    }
    return frame
  }

  /** Shares all frames with the caller: neither side's later writes are seen by the other. */
  share(): Frame[] {
    this.epoch++
    return this.frames.slice()
  }

  /** Takes back what {@link share} gave; pages first used since then read as zeros again. */
  adopt(frames: readonly Frame[]): void {
    this.epoch++
    this.frames = frames.slice()
    while (this.frames.length < this.#pageNumbers.length) this.frames.push(this.#zero)
  }
}
