import {
  accessOf,
  baseOf,
  type Descriptor,
  dplOf,
  Fault,
  isCode,
  isNull,
  isPresent,
  isWritableData,
  limitOf,
  readDescriptor,
} from '@trapframe/core'
import type { PvContext } from '../context.js'

/** A code or data segment of a 32-bit guest, as its descriptor has it now. */
export interface GuestSegment {
  readonly base: bigint
  /** Highest offset; of a segment that grows down, the highest that it does not have. */
  readonly limit: bigint
  readonly dpl: number
  readonly present: boolean
  readonly code: boolean
  readonly conforming: boolean
  readonly writable: boolean
  readonly growsDown: boolean
  /** Its stack pointer or instruction pointer has 32 bits. */
  readonly wide: boolean
}

const S = 0x10
const EXPAND_DOWN_OR_CONFORMING = 4
const DB = 0x4000

/** pv_emul_read_descriptor: the segment of a selector; null where there is none of that kind. */
export function guestSegment(context: PvContext, selector: number): GuestSegment | null {
  if (isNull(selector)) return null
  const descriptor = descriptorOf(context, selector)
  if (descriptor === null) return null
  const access = accessOf(descriptor)
  if ((access & S) === 0) return null
  const code = isCode(access)
  return {
    base: BigInt(baseOf(descriptor) >>> 0),
    limit: BigInt(limitOf(descriptor) >>> 0),
    dpl: dplOf(access),
    present: isPresent(access),
    code,
    conforming: code && (access & EXPAND_DOWN_OR_CONFORMING) !== 0,
    writable: isWritableData(access),
    growsDown: !code && (access & EXPAND_DOWN_OR_CONFORMING) !== 0,
    wide: (access & DB) !== 0,
  }
}

/** The descriptor of a selector in the guest's tables; null outside of them, or where the table is not there. */
export function descriptorOf({ cpu }: PvContext, selector: number): Descriptor | null {
  try {
    return readDescriptor(cpu, selector)
  } catch (thrown) {
    if (thrown instanceof Fault) return null
    throw thrown
  }
}

/** check_stack_limit: whether `bytes` bytes below `esp` are in a stack segment. */
export function stackHasRoom({ limit, growsDown, wide }: GuestSegment, esp: bigint, bytes: bigint): boolean {
  const highest = wide ? 0xffff_ffffn : 0xffffn
  const lowest = esp - bytes
  if (esp - 1n > highest || lowest < 0n) return false
  return growsDown ? lowest > limit : esp - 1n <= limit
}
