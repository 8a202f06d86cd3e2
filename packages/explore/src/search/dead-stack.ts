import { type Boot, type Cpu, ENTRY_INDEX_SHIFT, type Machine, PAGE_SIZE } from '@trapframe/core'
import { ADDRESS, BYTES, COUNT, RETURNED } from '../ghost/region.js'
import { frameAt, isLive } from '../ghost/table.js'

/** One page of a stack region, by its linear address in halves. */
interface StackPage {
  readonly lo: number
  readonly hi: number
}

interface Stack {
  readonly from: bigint
  readonly end: bigint
  readonly pages: readonly StackPage[]
}

/**
 * Clears what a handler leaves on its stack when it returns: its frame and everything below it, down to the end of the
 * stack region, unless another live frame or RSP is there. Software that keeps to its stack never reads these bytes again,
 * but as long as they are there they tell states apart that behave alike: the address of an interrupted instruction stays
 * below the stack pointer until the next event overwrites it, and a program of n instructions with events of depth d has
 * about n to the power of d states instead of d times n. Whether software does read below its stack pointer only its
 * author can say; therefore a search clears only when it is told to.
 *
 * Which regions are stacks is read when the search begins.
 */
export class DeadStacks {
  readonly #machine: Machine
  readonly #stacks: readonly (readonly Stack[])[]

  constructor(machine: Machine, boot: Boot) {
    this.#machine = machine
    this.#stacks = machine.cpus.map((cpu) =>
      boot
        .stackMap(cpu)
        .regions.filter(({ kind }) => kind === 'stack')
        .map(({ address, bytes }) => ({ from: address, end: address + BigInt(bytes), pages: pagesOf(address, bytes) })),
    )
  }

  /** To be called after each step, before the ghost state is settled; `ghost` is the first word of its region. */
  clear(ghost: number): void {
    for (const cpu of this.#machine.cpus) if (cpu.words[ghost + RETURNED] !== 0) this.#clearBelow(cpu, ghost)
  }

  #clearBelow(cpu: Cpu, ghost: number): void {
    const { words } = cpu
    const frame = frameAt(ghost, words[ghost + RETURNED]!)
    const address = cpu.get64(frame + ADDRESS)
    const stack = this.#stacks[cpu.id]!.find(({ from, end }) => address >= from && address < end)
    if (stack === undefined) return
    const top = address + BigInt(words[frame + BYTES]!)
    const { rsp } = cpu
    const end = rsp >= stack.from && rsp < top ? rsp : top
    for (let n = words[ghost + COUNT]!; n >= 1; n--) {
      if (!isLive(words, ghost, n)) continue
      const other = cpu.get64(frameAt(ghost, n) + ADDRESS)
      if (other >= stack.from && other < end) return
    }
    this.#fill(cpu, stack, end)
  }

  #fill({ space }: Cpu, stack: Stack, end: bigint): void {
    const { memory } = this.#machine
    let left = Number(end - stack.from)
    for (const { lo, hi } of stack.pages) {
      const from = lo & (PAGE_SIZE - 1)
      const count = Math.min(PAGE_SIZE - from, left)
      if (count <= 0) return
      left -= count
      const entry = space.lookup(lo, hi)
      if (entry === 0) continue
      const index = entry >> ENTRY_INDEX_SHIFT
      const [first, last] = [from >>> 2, (from + count) >>> 2]
      // Most of it is zero already, and a page that is written in vain is a page that is copied in vain.
      const frame = memory.frames[index]!
      const used = firstUsed(frame.words, Math.min(last, Math.max(first, frame.zeroBelow)), last)
      if (first <= frame.zeroBelow && used > frame.zeroBelow) frame.zeroBelow = used
      if (used === last) continue
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

function pagesOf(address: bigint, bytes: number): StackPage[] {
  const pages: StackPage[] = []
  for (let at = address; at < address + BigInt(bytes); at = (at | 0xfffn) + 1n) {
    pages.push({ lo: Number(BigInt.asIntN(32, at)), hi: Number(BigInt.asIntN(32, at >> 32n)) })
  }
  return pages
}
