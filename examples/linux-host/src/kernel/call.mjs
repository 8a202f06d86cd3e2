/** @import { Cpu, Machine } from '@trapframe/core' */
/** @import { KernelOptions } from '../request.mjs' */
/** @import { PtRegs } from '../pt-regs.mjs' */

/**
 * What the kernel's C functions know beside the machine: where code is, what the boot was told. It does not change.
 *
 * @typedef {object} Kernel
 * @property {(label: string) => bigint} addressOf
 * @property {KernelOptions} options
 */

/**
 * What one of the C functions works on. Nothing in it outlives the step: what lasts is in simulated memory and registers.
 *
 * @typedef {object} Call
 * @property {Machine} machine
 * @property {Cpu} cpu
 * @property {Kernel} kernel
 * @property {PtRegs} regs the registers that RDI points to
 * @property {number} vector what RSI holds, where a function takes a vector
 */

/**
 * What a function leaves: a value for RAX and it returns to its caller, or the CPU is elsewhere already.
 *
 * @typedef {bigint | 'gone'} Outcome
 */

/** The event is dealt with. @type {Outcome} */
export const DONE = 0n
/** The event is dealt with, and before it returns another task may run. @type {Outcome} */
export const MAY_SCHEDULE = 1n

/** Says in the trace which function of the kernel was chosen. @param {Call} call @param {string} name */
export function handledBy({ cpu }, name) {
  cpu.observer?.dispatched?.(cpu, name)
}
