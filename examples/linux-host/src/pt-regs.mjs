/** @import { Cpu } from '@trapframe/core' */
import { loadQuad, storeQuad } from './kernel/quadword.mjs'

/**
 * The registers of what was interrupted, as they lie on the stack, low to high. From `orig_ax` up the CPU writes them:
 * under FRED all of it and two more quadwords; under the IDT from `rip` up, and the error code of some exceptions.
 */
const FIELDS = /** @type {const} */ ([
  'r15',
  'r14',
  'r13',
  'r12',
  'rbp',
  'rbx',
  'r11',
  'r10',
  'r9',
  'r8',
  'rax',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'orig_ax',
  'rip',
  'cs',
  'rflags',
  'rsp',
  'ss',
  'event_data',
  'reserved',
])

/** @typedef {typeof FIELDS[number]} RegisterField */

/** @type {(field: RegisterField) => number} */
export const offsetOf = (field) => 8 * FIELDS.indexOf(field)

/** Bytes up to SS, which both deliveries have. */
export const PT_REGS_BYTES = offsetOf('event_data')
/** The two quadwords of FRED above it. The IDT leaves room for them too, so that the registers are in one place. */
export const FRED_INFO_BYTES = 16

/** General registers, low to high. */
export const GENERAL_REGISTERS = FIELDS.slice(0, FIELDS.indexOf('orig_ax'))

/** The registers of ring 3 lie at the upper end of the task's stack. @type {(stackTop: bigint) => bigint} */
export const userRegsAddress = (stackTop) => stackTop - BigInt(PT_REGS_BYTES + FRED_INFO_BYTES)

/**
 * A struct pt_regs in memory, as C code of the kernel sees it.
 *
 * @typedef {object} PtRegs
 * @property {bigint} address
 * @property {(field: RegisterField) => bigint} get
 * @property {(field: RegisterField, value: bigint) => void} set
 */

/** @param {Cpu} cpu @param {bigint} address @returns {PtRegs} */
export function ptRegsAt(cpu, address) {
  return {
    address,
    get: (field) => loadQuad(cpu, address + BigInt(offsetOf(field))),
    set: (field, value) => storeQuad(cpu, address + BigInt(offsetOf(field)), value),
  }
}

/** Whether they are those of ring 3. @type {(regs: PtRegs) => boolean} */
export const isUser = (regs) => (regs.get('cs') & 3n) === 3n
