import type { Cpu, Machine } from '@trapframe/core'
import type { Revision } from '../boot/decision.js'
import type { Differences } from '../guest-visible/differences.js'
import type { CpuInfoLayout } from '../layout/cpu-info.js'
import type { UserRegs } from './user-regs.js'

/** What Xen's C functions know of the Xen that they are part of. It is settled at boot and does not change. */
export interface Build {
  readonly revision: Revision
  readonly layout: CpuInfoLayout
  /** What of the delivery shows through to PV guests (P1). */
  readonly shows: Differences
  /** 32-bit PV guests may run (X3). */
  readonly pv32: boolean
  /** Address of a label of the entry and exit code. */
  label(name: string): bigint
  /** An address of the code as Xen names it: `ret_from_intr+0x12/0x30`; null outside of the code. */
  symbol(address: bigint): string | null
}

/** What one of Xen's C functions works on. Nothing in it outlives the step. */
export interface Call {
  readonly machine: Machine
  readonly cpu: Cpu
  /** The registers that RDI points to. */
  readonly regs: UserRegs
  readonly build: Build
}

/** A function returns to its caller, with a value for RAX or none, or has sent the CPU elsewhere. */
export type Outcome = 'return' | 'gone' | { readonly value: bigint }

/** One of Xen's C functions. It captures no state: what lasts is in simulated memory and registers. */
export type XenFunction = (call: Call) => Outcome
