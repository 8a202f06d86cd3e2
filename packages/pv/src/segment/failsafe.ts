import { AC, IOPL, NT, RF, TF, VM } from '@trapframe/core'
import { FLAT_USER_CS64, FLAT_USER_SS, type PvAnswer, TRAP_SYSCALL } from '@trapframe/xen'
import { frameRflags } from '../bounce/frame-rflags.js'
import { inKernelMode, type PvContext } from '../context.js'
import { CRASH_BAD_STACK, CRASH_FAILSAFE_FRAME, CRASH_NULL_HANDLER } from '../crash.js'
import { GuestFault, storeGuest } from '../guest-memory.js'
import { FAILSAFE_MASKS_EVENTS } from '../state/pv-fields.js'
import { toggleGuestMode } from './guest-mode.js'

const CLEARED = BigInt(AC | VM | RF | NT | TF | IOPL)
const RPL = 3n
const STACK_ALIGNMENT = 16n
const MASK_SHIFT = 32n
const SELECTOR = 0xffffn

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
  const rsp = (kernel ? regs.get('rsp') : vcpu.get('kernel_sp')) & ~(STACK_ALIGNMENT - 1n)
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
  const frame = BigInt.asUintN(64, rsp - BigInt(8 * slots.length))
  try {
    slots.forEach((value, i) => {
      storeGuest(context, frame + BigInt(8 * (slots.length - 1 - i)), 8, value)
    })
  } catch (thrown) {
    if (!(thrown instanceof GuestFault)) throw thrown
    pv.set('crash_address', thrown.address)
    return { crash: CRASH_FAILSAFE_FRAME }
  }
  const handler = vcpu.get('failsafe_callback_eip')
  if (handler === 0n) return { crash: CRASH_NULL_HANDLER }
  if ((pv.get('callback_flags') & BigInt(FAILSAFE_MASKS_EVENTS)) !== 0n) info.set('evtchn_upcall_mask', 1n)
  regs.set('entry_vector', regs.get('entry_vector') | BigInt(TRAP_SYSCALL))
  regs.set('rflags', regs.get('rflags') & ~CLEARED)
  regs.set('ss', BigInt(FLAT_USER_SS))
  regs.set('rsp', frame)
  regs.set('cs', BigInt(FLAT_USER_CS64))
  regs.set('rip', handler)
  return 'resume'
}
