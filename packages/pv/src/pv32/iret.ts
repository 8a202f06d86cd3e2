import { IF, IOPL, NT, RF, TF, VECTOR_GP, VM } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { CRASH_IRET_FRAME } from '../crash.js'
import { GuestFault, loadGuest, storeGuest } from '../guest-memory.js'
import type { Hypercall, HypercallResult } from '../hypercall/hypercall.js'
import { leaveHandler } from '../hypercall/iret.js'
import { masksEvents, trapInfo } from '../state/trap-table.js'
import { LOW_32, SELECTOR } from './guest-stack.js'

const RPL = 3n

/**
 * iret of a 32-bit guest: goes on with the frame on its stack, EAX, EIP, CS, EFLAGS from low to high, and ESP and SS where ring 2
 * or 3 is returned to. Ring 0 is not a guest's: that, and a frame that cannot be read, ends the domain.
 */
export const COMPAT_IRET: Hypercall = {
  number: 23,
  name: 'iret',
  run(context) {
    try {
      return goOn(context)
    } catch (thrown) {
      if (thrown instanceof GuestFault) return { crash: CRASH_IRET_FRAME }
      throw thrown
    }
  },
}

function goOn(context: PvContext): HypercallResult {
  const { regs } = context
  const esp = regs.get('rsp') & LOW_32
  const slot = (n: number): bigint => loadGuest(context, esp + BigInt(4 * n), 4)
  const [eax, eip, cs, eflags] = [slot(0), slot(1), slot(2) & SELECTOR, slot(3)]
  if ((eflags & BigInt(VM)) !== 0n) {
    goToVm86(context, esp, eflags)
  } else {
    if ((cs & RPL) === 0n) return { crash: CRASH_IRET_FRAME }
    const [newEsp, ss] = (cs & RPL) === 1n ? [esp + 16n, null] : [slot(4), slot(5) & SELECTOR]
    regs.set('rip', eip)
    regs.set('cs', cs)
    regs.set('rflags', (eflags & ~BigInt(IOPL)) | BigInt(IF))
    regs.set('rsp', newEsp)
    if (ss !== null) regs.set('ss', ss)
  }
  leaveHandler(context, eflags)
  return eax
}

/** Slots of a frame of vm86 mode: EIP, CS, EFLAGS, ESP, SS, ES, DS, FS, GS; EAX is below them. */
const VM86_SLOTS = 9
const VM86_FRAME_BYTES = 40n

/**
 * There is no vm86 mode in long mode: the guest gets #GP(0) as its first instruction there would have raised it, on the kernel
 * stack with the frame that the guest itself has built, which is moved there.
 */
function goToVm86(context: PvContext, esp: bigint, eflags: bigint): void {
  const { regs, vcpu, info } = context
  const to = (vcpu.get('kernel_sp') - VM86_FRAME_BYTES) & LOW_32
  for (let i = 1; to !== esp && i <= VM86_SLOTS; i++) {
    storeGuest(context, to + BigInt(4 * i), 4, loadGuest(context, esp + BigInt(4 * i), 4))
  }
  storeGuest(context, to, 4, 0n)
  const handler = trapInfo(context, VECTOR_GP)
  regs.set('rsp', to)
  regs.set('ss', vcpu.get('kernel_ss'))
  regs.set('rflags', (eflags & ~BigInt(VM | RF | NT | IOPL | TF)) | BigInt(IF))
  regs.set('rip', handler.address)
  regs.set('cs', BigInt(handler.cs))
  if (masksEvents(handler)) info.set('evtchn_upcall_mask', 1n)
}
