import { IOPL, isNull, NT, RF, TF, VM } from '@trapframe/core'
import type { PvAnswer } from '@trapframe/xen'
import { inKernelMode, type PvContext } from '../context.js'
import { CRASH_FAILSAFE_FRAME, CRASH_NULL_HANDLER } from '../crash.js'
import { FAILSAFE_MASKS_EVENTS } from '../state/pv-fields.js'
import { interrupted, LOW_32, pushAll } from './guest-stack.js'
import { FLAT_RING1_SS } from './selectors.js'

const CLEARED = BigInt(VM | RF | NT | TF | IOPL)

/** The failsafe callback of a 32-bit guest: its bounce frame, and below that GS, FS, ES and DS as the guest wanted them. */
export function reportCompatBadSegments(context: PvContext): PvAnswer {
  const { regs, vcpu, info, pv } = context
  const kernel = inKernelMode(context)
  const slots = [
    ...interrupted(context),
    ...(['gs', 'fs', 'es', 'ds'] as const).map((name) => BigInt(vcpu.selector(name))),
  ]
  // The stack is written as flat, whatever its selector.
  const esp = (kernel ? regs.get('rsp') : vcpu.get('kernel_sp')) & LOW_32
  const frame = pushAll(context, FLAT_RING1_SS, esp, slots)
  if (frame === null) return { crash: CRASH_FAILSAFE_FRAME }
  const cs = pv.get('failsafe_callback_cs')
  if (isNull(Number(cs))) return { crash: CRASH_NULL_HANDLER }
  if ((pv.get('callback_flags') & BigInt(FAILSAFE_MASKS_EVENTS)) !== 0n) info.set('evtchn_upcall_mask', 1n)
  regs.set('rflags', regs.get('rflags') & ~CLEARED)
  regs.set('ss', BigInt(FLAT_RING1_SS))
  regs.set('rsp', frame)
  regs.set('cs', cs)
  regs.set('rip', vcpu.get('failsafe_callback_eip'))
  return 'resume'
}
