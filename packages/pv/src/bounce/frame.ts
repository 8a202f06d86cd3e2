import { AC, NT, RF, TF, VM } from '@trapframe/core'
import type { PvAnswer } from '@trapframe/xen'
import { inKernelMode, isCompat, type PvContext } from '../context.js'
import { CRASH_BAD_STACK, CRASH_FRAME_FAULT, CRASH_NULL_HANDLER } from '../crash.js'
import { storeFrame } from '../guest-memory.js'
import { createCompatBounceFrame } from '../pv32/bounce-frame.js'
import { toggleGuestMode } from '../segment/guest-mode.js'
import { TBF_CALLBACK, TBF_EXCEPTION_ERRCODE, TBF_INTERRUPT, TBF_SYSCALL } from '../state/pv-fields.js'
import { frameRflags } from './frame-rflags.js'
import { alignStack, enterGuestKernel, MASK_SHIFT, pushFrame, RPL, SELECTOR } from './guest-stack.js'

/** What no handler starts with: a trap through an interrupt gate clears all but AC, and a kernel wants no alignment checks. */
const CLEARED = BigInt(AC | VM | RF | NT | TF)

/**
 * create_bounce_frame: puts the guest's registers on its kernel stack, from high to low SS, RSP, RFLAGS, CS with the upcall
 * mask, RIP, the error code if there is one, R11, RCX; and sends the vCPU to the handler that waits. The guest's user code
 * leaves its mode; its kernel stays on the stack that it is on.
 */
export function createBounceFrame(context: PvContext): PvAnswer {
  if (isCompat(context)) return createCompatBounceFrame(context)
  const { regs, vcpu, pv, info, shows, checks } = context
  const flags = Number(pv.get('bounce_flags'))
  pv.set('bounce_flags', 0n)
  const handler = pv.get('bounce_eip')
  if ((flags & TBF_CALLBACK) !== 0) regs.set('rflags', shows.syscallFrameRflags(regs.get('rflags')))
  let rsp: bigint
  if (inKernelMode(context)) {
    rsp = regs.get('rsp')
    // Ring 0 to 2 is how the guest is told that its kernel was interrupted.
    regs.set('cs', regs.get('cs') & ~RPL)
  } else {
    toggleGuestMode(context)
    rsp = vcpu.get('kernel_sp')
  }
  rsp = alignStack(rsp)
  if (!checks.stackOutsideXen(rsp)) return { crash: CRASH_BAD_STACK }
  const mask = info.get('evtchn_upcall_mask') & 0xffn
  const slots = [
    shows.ssSlot(regs.get('ss')),
    regs.get('rsp'),
    frameRflags(context, mask),
    (regs.get('cs') & SELECTOR) | (mask << MASK_SHIFT),
    regs.get('rip'),
    ...((flags & TBF_EXCEPTION_ERRCODE) === 0 ? [] : [pv.get('bounce_error_code')]),
    regs.get('r11'),
    regs.get('rcx'),
  ]
  const end = BigInt.asUintN(64, rsp - BigInt(8 * slots.length))
  const moved = checks.hardened(end) - end
  const frame = pushFrame(context, rsp, slots, (address, value) => storeFrame(context, address + moved, 8, value))
  if (frame === null) {
    regs.set('cs', regs.get('cs') | RPL)
    return { crash: CRASH_FRAME_FAULT }
  }
  if ((flags & TBF_INTERRUPT) !== 0) info.set('evtchn_upcall_mask', 1n)
  enterGuestKernel(context, frame, CLEARED)
  if (handler === 0n) return { crash: CRASH_NULL_HANDLER }
  regs.set('rip', handler)
  if ((flags & TBF_SYSCALL) !== 0) regs.set('rflags', shows.syscallHandlerRflags(regs.get('rflags'), frame))
  return 'resume'
}
