import { frameRflags } from '../bounce/frame-rflags.js'
import { inKernelMode, type PvContext } from '../context.js'
import { GuestFault, storeGuest } from '../guest-memory.js'
import { dataSegmentBase } from './guest-segment.js'

export const SELECTOR = 0xffffn
export const LOW_32 = 0xffff_ffffn
/** saved_upcall_mask lies in bits 23:16 of the CS slot. */
const MASK_SHIFT = 16n

/** Where the guest was, as a frame begins: SS and ESP only of ring 3, EFLAGS, CS with the upcall mask, EIP. */
export function interrupted(context: PvContext): readonly bigint[] {
  const { regs, info } = context
  const mask = info.get('evtchn_upcall_mask') & 0xffn
  return [
    ...(inKernelMode(context) ? [] : [regs.get('ss') & SELECTOR, regs.get('rsp')]),
    frameRflags(context, mask),
    (regs.get('cs') & SELECTOR) | (mask << MASK_SHIFT),
    regs.get('rip'),
  ]
}

/** Pushes 32-bit values, the first one highest; the new ESP, or null when one could not be written. */
export function pushAll(context: PvContext, ss: number, esp: bigint, values: readonly bigint[]): bigint | null {
  try {
    const base = dataSegmentBase(context, ss)
    let at = esp
    for (const value of values) {
      at = (at - 4n) & LOW_32
      storeGuest(context, base + at, 4, value & LOW_32)
    }
    return at
  } catch (thrown) {
    if (!(thrown instanceof GuestFault)) throw thrown
    context.pv.set('crash_address', thrown.address)
    return null
  }
}
