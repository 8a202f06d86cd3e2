import { type Cpu, ENTRY_INDEX_SHIFT, type Machine, PAGE_SIZE, type StackRegion } from '@trapframe/core'

/** One page of a stack region, by its linear address in halves. */
interface StackPage {
  readonly lo: number
  readonly hi: number
}

/** A region of a CPU's stack map, as memory that can be cleared. */
export class StackMemory {
  readonly from: bigint
  readonly end: bigint
  readonly #machine: Machine
  readonly #pages: readonly StackPage[]

  constructor(machine: Machine, { address, bytes }: StackRegion) {
    this.from = address
    this.end = address + BigInt(bytes)
    this.#machine = machine
    this.#pages = pagesOf(address, this.end)
  }

  holds(address: bigint): boolean {
    return address >= this.from && address < this.end
  }

  /**
   * Makes whole words zero, from byte `from` of the region up to byte `to`, without anybody noticing. Most of it is zero
   * already, and a page that is written in vain is a page that is copied in vain.
   */
  clear({ space }: Cpu, from: number, to: number): void {
    const { memory } = this.#machine
    const start = Number(this.from & BigInt(PAGE_SIZE - 1))
    const [begin, end] = [start + from, start + to]
    for (let n = Math.floor(begin / PAGE_SIZE); n * PAGE_SIZE < end; n++) {
      const { lo, hi } = this.#pages[n]!
      const entry = space.lookup(lo, hi)
      if (entry === 0) continue
      const index = entry >> ENTRY_INDEX_SHIFT
      const first = Math.max(begin - n * PAGE_SIZE, 0) >>> 2
      const last = Math.min(end - n * PAGE_SIZE, PAGE_SIZE) >>> 2
      const frame = memory.frames[index]!
      const used = firstUsed(frame.words, Math.min(last, Math.max(first, frame.zeroBelow)), last)
      if (first <= frame.zeroBelow && used > frame.zeroBelow) frame.zeroBelow = used
      if (used >= last) continue
      const writable = memory.writable(index, used, last)
      writable.words.fill(0, used, last)
      if (first <= writable.zeroBelow) writable.zeroBelow = last
    }
  }
}

/** Index of a word that is not zero, or a few before it; `to` for none. */
function firstUsed(words: Int32Array, from: number, to: number): number {
  let at = from
  for (; at + 8 <= to; at += 8) {
    const some =
      words[at]! |
      words[at + 1]! |
      words[at + 2]! |
      words[at + 3]! |
      words[at + 4]! |
      words[at + 5]! |
      words[at + 6]! |
      words[at + 7]!
    if (some !== 0) return at
  }
  while (at < to && words[at] === 0) at++
  return at
}

function pagesOf(address: bigint, end: bigint): StackPage[] {
  const pages: StackPage[] = []
  for (let at = address & ~BigInt(PAGE_SIZE - 1); at < end; at += BigInt(PAGE_SIZE)) {
    pages.push({ lo: Number(BigInt.asIntN(32, at)), hi: Number(BigInt.asIntN(32, at >> 32n)) })
  }
  return pages
}
