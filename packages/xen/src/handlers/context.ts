import type { Cpu, Machine } from '@trapframe/core'
import type { UserRegs } from './user-regs.js'

/** Addresses that a function may go to instead of returning. */
export interface WaysOut {
  readonly idleLoop: bigint
  readonly panicStop: bigint
}

/** What one of Xen's C functions works on. Nothing in it outlives the step. */
export interface Call {
  readonly machine: Machine
  readonly cpu: Cpu
  /** The registers that RDI points to. */
  readonly regs: UserRegs
  readonly waysOut: WaysOut
}

/** A function returns to its caller, with a value for RAX or none, or has sent the CPU elsewhere. */
export type Outcome = 'return' | 'gone' | { readonly value: bigint }

/** One of Xen's C functions. It captures no state: what lasts is in simulated memory and registers. */
export type XenFunction = (call: Call) => Outcome
