import { AC, IOPL, NT, RF, TF, VM } from '@trapframe/core'
import type { PvAnswer } from '@trapframe/xen'
import { frameRflags } from '../bounce/frame-rflags.js'
import { alignStack, enterGuestKernel, MASK_SHIFT, pushFrame, RPL, SELECTOR } from '../bounce/guest-stack.js'
import { inKernelMode, type PvContext } from '../context.js'
import { CRASH_BAD_STACK, CRASH_FAILSAFE_FRAME, CRASH_NULL_HANDLER } from '../crash.js'
import { storeGuest } from '../guest-memory.js'
import { FAILSAFE_MASKS_EVENTS } from '../state/pv-fields.js'
import { toggleGuestMode } from './guest-mode.js'

const CLEARED = BigInt(AC | VM | RF | NT | TF | IOPL)

/**
 * The failsafe callback: a vCPU is scheduled in and one of its data segments cannot be loaded any more. The frame on the
 * guest's kernel stack has, from high to low, SS, RSP, RFLAGS, CS with the upcall mask, RIP, the selectors that the guest
 * wanted, GS, FS, ES, DS, and R11 and RCX.
 */
export function reportBadSegments(context: PvContext): PvAnswer {
  const { regs, vcpu, info, pv, checks } = context
  const kernel = inKernelMode(context)
  const from = regs.get('cs') & SELECTOR & ~(kernel ? RPL : 0n)
  if (!kernel) toggleGuestMode(context)
  const rsp = alignStack(kernel ? regs.get('rsp') : vcpu.get('kernel_sp'))
  if (!checks.stackOutsideXen(rsp)) return { crash: CRASH_BAD_STACK }
  const mask = info.get('evtchn_upcall_mask') & 0xffn
  const slots = [
    regs.get('ss') & SELECTOR,
    regs.get('rsp'),
    frameRflags(context, mask),
    from | (mask << MASK_SHIFT),
    regs.get('rip'),
    ...(['gs', 'fs', 'es', 'ds'] as const).map((name) => BigInt(vcpu.selector(name))),
    regs.get('r11'),
    regs.get('rcx'),
  ]
  const frame = pushFrame(context, rsp, slots, (address, value) => storeGuest(context, address, 8, value))
  if (frame === null) return { crash: CRASH_FAILSAFE_FRAME }
  const handler = vcpu.get('failsafe_callback_eip')
  if (handler === 0n) return { crash: CRASH_NULL_HANDLER }
  if ((pv.get('callback_flags') & BigInt(FAILSAFE_MASKS_EVENTS)) !== 0n) info.set('evtchn_upcall_mask', 1n)
  enterGuestKernel(context, frame, CLEARED)
  regs.set('rip', handler)
  return 'resume'
}
