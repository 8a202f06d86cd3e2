import { VECTOR_GP, VECTOR_UD } from '@trapframe/core'
import type { PvAnswer } from '@trapframe/xen'
import { bounceToVector, injectException, markBounce, setBounce } from '../bounce/inject.js'
import { inKernelMode, type PvContext } from '../context.js'
import { callHypervisor } from '../hypercall/table.js'
import {
  SYSCALL_MASKS_EVENTS,
  SYSCALL32_MASKS_EVENTS,
  SYSENTER_MASKS_EVENTS,
  TBF_CALLBACK,
  TBF_SYSCALL,
} from '../state/pv-fields.js'

/** SYSCALL of 64-bit code, `length` bytes long: a hypercall of the guest's kernel, a system call of its user code. */
export function handleSyscall(context: PvContext, length: number): PvAnswer {
  if (inKernelMode(context)) return callHypervisor(context)
  return toSyscallCallback(context, context.vcpu.get('syscall_callback_eip'), SYSCALL_MASKS_EVENTS, length)
}

/** SYSCALL from compatibility mode, which only AMD's CPUs have. */
export function handleSyscall32(context: PvContext, length: number): PvAnswer {
  const { pv, shows } = context
  if (inKernelMode(context) && shows.compatKernelSyscallIsHypercall) return callHypervisor(context)
  const flag = shows.syscall32MaskedBy === 'syscall' ? SYSCALL_MASKS_EVENTS : SYSCALL32_MASKS_EVENTS
  return toSyscallCallback(context, pv.get('syscall32_callback_eip'), flag, length)
}

/** The callback; without one SYSCALL is an invalid opcode, and RIP goes back to where it is thought to begin. */
function toSyscallCallback(context: PvContext, address: bigint, maskFlag: number, length: number): PvAnswer {
  const { regs, shows } = context
  if (address === 0n) {
    regs.set('rip', regs.get('rip') - BigInt(shows.rewind(length)))
    refuse(context, VECTOR_UD, null)
    markBounce(context, TBF_SYSCALL)
  } else {
    setBounce(context, address, null, masks(context, maskFlag), TBF_SYSCALL | TBF_CALLBACK)
  }
  return 'resume'
}

/** SYSENTER, which has lost RIP and RSP. Without a callback it is not allowed. */
export function handleSysenter(context: PvContext): PvAnswer {
  const address = context.pv.get('sysenter_callback_eip')
  if (address === 0n) refuse(context, VECTOR_GP, 0)
  else setBounce(context, address, null, masks(context, SYSENTER_MASKS_EVENTS))
  return 'resume'
}

/** The exception that a guest gets in the stead of a callback. */
function refuse(context: PvContext, vector: number, errorCode: number | null): void {
  if (context.shows.logsMissingCallback) injectException(context, vector, errorCode)
  else bounceToVector(context, vector, errorCode)
}

const masks = ({ pv }: PvContext, flag: number): boolean => (pv.get('callback_flags') & BigInt(flag)) !== 0n
