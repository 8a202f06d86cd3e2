import {
  ACCESS_DB,
  ACCESS_S,
  accessOf,
  baseOf,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  isWritableData,
  limitOf,
} from '@trapframe/core'
import type { PvContext } from '../context.js'
import { descriptorOf } from '../segment/guest-descriptor.js'

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

/** Type bit 2 of a data segment; of a code segment it is the conforming bit. */
const EXPAND_DOWN = 4

/** pv_emul_read_descriptor: the segment of a selector; null where there is none of that kind. */
export function guestSegment(context: PvContext, selector: number): GuestSegment | null {
  if (isNull(selector)) return null
  const descriptor = descriptorOf(context, selector)
  if (descriptor === null) return null
  const access = accessOf(descriptor)
  if ((access & ACCESS_S) === 0) return null
  const code = isCode(access)
  return {
    base: BigInt(baseOf(descriptor) >>> 0),
    limit: BigInt(limitOf(descriptor) >>> 0),
    dpl: dplOf(access),
    present: isPresent(access),
    code,
    conforming: code && isConforming(access),
    writable: isWritableData(access),
    growsDown: !code && (access & EXPAND_DOWN) !== 0,
    wide: (access & ACCESS_DB) !== 0,
  }
}

/** check_stack_limit: whether `bytes` bytes below `esp` are in a stack segment. */
export function stackHasRoom({ limit, growsDown, wide }: GuestSegment, esp: bigint, bytes: bigint): boolean {
  const highest = wide ? 0xffff_ffffn : 0xffffn
  const lowest = esp - bytes
  if (esp - 1n > highest || lowest < 0n) return false
  return growsDown ? lowest > limit : esp - 1n <= limit
}
