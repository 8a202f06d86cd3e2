import { IF, IOPL } from '@trapframe/core'
import { TRAP_SYSCALL } from '@trapframe/xen'
import { leaveAsyncHandler } from '../bounce/way-out.js'
import type { PvContext } from '../context.js'
import { CRASH_IRET_FRAME } from '../crash.js'
import { GuestFault, loadGuest } from '../guest-memory.js'
import { toggleGuestMode } from '../segment/guest-mode.js'
import { hasArchitecturalIopl } from '../state/vm-assist.js'
import type { Hypercall } from './hypercall.js'

const FRAME = ['rax', 'r11', 'rcx', 'flags', 'rip', 'cs', 'rflags', 'rsp', 'ss'] as const
type IretFrame = Readonly<Record<(typeof FRAME)[number], bigint>>

/** The frame is about a system call: RCX and R11 are not restored from it. */
const VGCF_IN_SYSCALL = 0x100n
const SELECTOR = 0xffffn
const RPL = 3n

/**
 * iret: goes on with the frame on the guest's stack, RAX, R11, RCX, flags, RIP, CS, RFLAGS, RSP, SS from low to high. RPL 3
 * in CS is the guest's user code, anything else its kernel. Selectors get RPL 3, IF is set, VM and IOPL are not the
 * guest's; what its RFLAGS say of IF goes to the upcall mask.
 */
export const IRET: Hypercall = {
  number: 23,
  name: 'iret',
  run(context) {
    const frame = readFrame(context)
    return frame === null ? { crash: CRASH_IRET_FRAME } : goOnWith(context, frame)
  },
}

function goOnWith(context: PvContext, frame: IretFrame): bigint {
  const { cpu, regs, checks, shows } = context
  if ((frame.cs & RPL) === RPL) toggleGuestMode(context)
  regs.set('rip', frame.rip)
  let cs = (frame.cs & SELECTOR) | checks.rpl
  let ss = (frame.ss & SELECTOR) | checks.rpl
  regs.set('rflags', checks.iretRflags(frame.rflags))
  regs.set('rsp', frame.rsp)
  if ((frame.flags & VGCF_IN_SYSCALL) !== 0n) {
    if (checks.canonical(cpu, frame.rip)) [cs, ss] = shows.syscallReturnSelectors(cs, ss)
  } else {
    regs.set('entry_vector', regs.get('entry_vector') & ~BigInt(TRAP_SYSCALL))
    regs.set('r11', frame.r11)
    regs.set('rcx', frame.rcx)
  }
  regs.set('cs', cs)
  regs.set('ss', ss)
  leaveHandler(context, frame.rflags)
  return frame.rax
}

/**
 * What RFLAGS in the frame of an iret hypercall mean beside the flags themselves: IF goes to the upcall mask, IOPL is the
 * guest's if it has asked for it; and the handler of an NMI or machine check is left.
 */
export function leaveHandler(context: PvContext, rflags: bigint): void {
  const { vcpu, info } = context
  if (hasArchitecturalIopl(context)) vcpu.set('iopl', rflags & BigInt(IOPL))
  info.set('evtchn_upcall_mask', (rflags & BigInt(IF)) === 0n ? 1n : 0n)
  leaveAsyncHandler(context)
}

function readFrame(context: PvContext): IretFrame | null {
  const rsp = context.regs.get('rsp')
  try {
    const entries = FRAME.map((name, i) => [name, loadGuest(context, BigInt.asUintN(64, rsp + BigInt(8 * i)), 8)])
    return Object.fromEntries(entries) as IretFrame
  } catch (thrown) {
    if (thrown instanceof GuestFault) return null
    throw thrown
  }
}
