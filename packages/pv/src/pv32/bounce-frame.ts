import { isNull, NT, RF, TF, VM } from '@trapframe/core'
import type { PvAnswer } from '@trapframe/xen'
import { frameRflags } from '../bounce/frame-rflags.js'
import { inKernelMode, type PvContext } from '../context.js'
import { CRASH_FRAME_FAULT, CRASH_NULL_HANDLER } from '../crash.js'
import { GuestFault, storeGuest } from '../guest-memory.js'
import { TBF_EXCEPTION_ERRCODE, TBF_INTERRUPT } from '../state/pv-fields.js'
import { dataSegmentBase } from './guest-segment.js'

/** What an interrupt gate clears. */
const CLEARED = BigInt(VM | RF | NT | TF)
const SELECTOR = 0xffffn
export const LOW_32 = 0xffff_ffffn
/** saved_upcall_mask lies in bits 23:16 of the CS slot. */
const MASK_SHIFT = 16n

/**
 * compat_create_bounce_frame: the frame of a 32-bit guest, as an interrupt gate of the old days would have pushed it: SS and ESP
 * only where ring 3 was interrupted, EFLAGS, CS with the upcall mask, EIP, the error code if there is one; 32 bits each. The
 * stack is the registered one of ring 1, or the one that ring 1 is on; handler and stack have the guest's own selectors.
 */
export function createCompatBounceFrame(context: PvContext): PvAnswer {
  const { regs, vcpu, pv, info } = context
  const flags = Number(pv.get('bounce_flags'))
  pv.set('bounce_flags', 0n)
  const kernel = inKernelMode(context)
  const mask = info.get('evtchn_upcall_mask') & 0xffn
  if ((flags & TBF_INTERRUPT) !== 0) info.set('evtchn_upcall_mask', 1n)
  const slots = [
    ...(kernel ? [] : [regs.get('ss') & SELECTOR, regs.get('rsp')]),
    frameRflags(context, mask),
    (regs.get('cs') & SELECTOR) | (mask << MASK_SHIFT),
    regs.get('rip'),
    ...((flags & TBF_EXCEPTION_ERRCODE) === 0 ? [] : [pv.get('bounce_error_code')]),
  ]
  const ss = kernel ? regs.get('ss') & SELECTOR : vcpu.get('kernel_ss')
  const esp = (kernel ? regs.get('rsp') : vcpu.get('kernel_sp')) & LOW_32
  const frame = pushAll(context, Number(ss), esp, slots)
  if (frame === null) return { crash: CRASH_FRAME_FAULT }
  regs.set('rflags', regs.get('rflags') & ~CLEARED)
  regs.set('ss', ss)
  regs.set('rsp', frame)
  const cs = pv.get('bounce_cs')
  if (isNull(Number(cs))) return { crash: CRASH_NULL_HANDLER }
  regs.set('cs', cs)
  regs.set('rip', pv.get('bounce_eip') & LOW_32)
  return 'resume'
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
