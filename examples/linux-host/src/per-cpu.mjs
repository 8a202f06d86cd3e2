/** @import { Cpu } from '@trapframe/core' */
import { loadQuad, storeQuad } from './kernel/quadword.mjs'
import { perCpuPage } from './memory.mjs'

/**
 * The per-CPU area: what assembly reaches through GS and C code by its address. Offsets in bytes, all of them quadwords;
 * the names are labels for scenarios (those of other CPUs end in `_1`, `_2`, …).
 */
export const PER_CPU = /** @type {const} */ ({
  /** RSP of the user while SYSCALL has no stack yet. */
  user_rsp: 0,
  /** Upper end of the stack of the task that runs. */
  task_stack_top: 8,
  /** What IA32_FRED_RSP0 was last written with: reading it here is cheaper than RDMSR. */
  fred_rsp0: 16,
  /** NMIs, machine checks and external interrupts that were handled, the vector of the last interrupt. */
  nmi_count: 24,
  machine_check_count: 32,
  interrupt_count: 40,
  last_interrupt: 48,
  /** System calls that were served. */
  system_calls: 56,
})

/** @typedef {keyof typeof PER_CPU} PerCpuField */

/** A field as an operand of assembly. @type {(field: PerCpuField) => string} */
export const perCpu = (field) => `gs:[${PER_CPU[field]}]`

/** Address of a field of one CPU. @type {(cpu: number, field: PerCpuField) => bigint} */
export const perCpuAddress = (cpu, field) => perCpuPage(cpu).linear + BigInt(PER_CPU[field])

/** @param {Cpu} cpu @param {PerCpuField} field @returns {bigint} */
export const readPerCpu = (cpu, field) => loadQuad(cpu, perCpuAddress(cpu.id, field))

/** @param {Cpu} cpu @param {PerCpuField} field @param {bigint} value */
export const writePerCpu = (cpu, field, value) => storeQuad(cpu, perCpuAddress(cpu.id, field), value)

/** @param {Cpu} cpu @param {PerCpuField} field */
export const count = (cpu, field) => writePerCpu(cpu, field, readPerCpu(cpu, field) + 1n)
