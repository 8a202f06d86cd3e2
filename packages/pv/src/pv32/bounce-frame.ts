import { isNull, NT, RF, TF, VM } from '@trapframe/core'
import type { PvAnswer } from '@trapframe/xen'
import { inKernelMode, type PvContext } from '../context.js'
import { CRASH_FRAME_FAULT, CRASH_NULL_HANDLER } from '../crash.js'
import { TBF_EXCEPTION_ERRCODE, TBF_INTERRUPT } from '../state/pv-fields.js'
import { interrupted, LOW_32, pushAll, SELECTOR } from './guest-stack.js'

/** What an interrupt gate clears. */
const CLEARED = BigInt(VM | RF | NT | TF)

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
  const from = interrupted(context)
  if ((flags & TBF_INTERRUPT) !== 0) info.set('evtchn_upcall_mask', 1n)
  const slots = (flags & TBF_EXCEPTION_ERRCODE) === 0 ? from : [...from, pv.get('bounce_error_code')]
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
