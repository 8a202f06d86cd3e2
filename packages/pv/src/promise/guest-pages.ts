import { PAGE_SIZE } from '@trapframe/core'
import { vcpuInfoPage } from '@trapframe/xen'
import { sharedField } from '../guest/kernel.js'
import { GUEST_PAGES } from '../guest/memory.js'
import type { PvGuest } from '../guest/pv-guest.js'

/** A quadword of the guest's memory that is not the same in two guests. */
export interface MemoryDifference {
  readonly address: bigint
  readonly values: readonly [bigint, bigint]
}

/** Where a bounce frame lies that was compared by itself. */
export type FrameRange = readonly [from: bigint, to: bigint]

/** Pages that a guest can read, by their linear addresses, and the frames behind them. */
const PAGES: readonly (readonly [linear: bigint, frame: number])[] = [
  ...GUEST_PAGES.map((page) => [page, Number(page) / PAGE_SIZE] as const),
  [sharedField('evtchn_upcall_pending') & ~BigInt(PAGE_SIZE - 1), Number(vcpuInfoPage(0).physical) / PAGE_SIZE],
]

/** vcpu_info fields that are compared by name. */
const CR2 = sharedField('cr2')

const QUADS = PAGE_SIZE / 8

/** What differs in the memory that two guests can read. Frames that were compared by themselves are passed over. */
export function compareMemory(
  a: PvGuest,
  b: PvGuest,
  frames: readonly (readonly [FrameRange, FrameRange])[],
): readonly MemoryDifference[] {
  const found: MemoryDifference[] = []
  const [one, other] = [a.machine.memory, b.machine.memory]
  for (const [linear, frame] of PAGES) {
    const [x, y] = [one.frames[one.indexOf(frame)]!.words, other.frames[other.indexOf(frame)]!.words]
    for (let i = 0; i < QUADS; i++) {
      if (x[2 * i] === y[2 * i] && x[2 * i + 1] === y[2 * i + 1]) continue
      const address = linear + BigInt(8 * i)
      if (address === CR2 || frames.some((pair) => pair.some(([from, to]) => address >= from && address < to))) continue
      found.push({ address, values: [quad(x, i), quad(y, i)] })
    }
  }
  return found
}

const quad = (words: Int32Array, i: number): bigint =>
  (BigInt(words[2 * i + 1]! >>> 0) << 32n) | BigInt(words[2 * i]! >>> 0)
