import { AC, DF, IF, NT, RF, TF, VM } from '@trapframe/core'
import { IA32_SYSENTER_CS, IA32_SYSENTER_EIP, IA32_SYSENTER_ESP } from '@trapframe/idt'
import { HYPERVISOR_CS, STAR_VALUE } from '../layout/selectors.js'
import { rsp0Of } from '../layout/stack.js'
import type { MsrSetting } from './msr.js'

export const IA32_STAR = 0xc000_0081
export const IA32_FMASK = 0xc000_0084

/** What SYSCALL clears in RFLAGS. */
export const SYSCALL_MASK = BigInt(AC | VM | RF | NT | DF | IF | TF)

/** The MSRs of SYSCALL under the IDT, beside LSTAR and CSTAR, which point to the CPU's own trampolines. */
export const SYSCALL_MSRS: readonly MsrSetting[] = [
  { name: 'IA32_STAR', index: IA32_STAR, value: STAR_VALUE },
  { name: 'IA32_FMASK', index: IA32_FMASK, value: SYSCALL_MASK },
]

/** The MSRs of SYSENTER, written where it works in long mode. */
export const sysenterMsrs = (entry: bigint): readonly MsrSetting[] => [
  { name: 'IA32_SYSENTER_CS', index: IA32_SYSENTER_CS, value: BigInt(HYPERVISOR_CS) },
  { name: 'IA32_SYSENTER_ESP', index: IA32_SYSENTER_ESP, value: rsp0Of },
  { name: 'IA32_SYSENTER_EIP', index: IA32_SYSENTER_EIP, value: entry },
]
