/** @import { RegisterField } from '../pt-regs.mjs' */
import { GENERAL_REGISTERS, offsetOf } from '../pt-regs.mjs'

/** The pieces of assembly that every way in and out is made of; RSP is then the start of pt_regs. */

/** A field of the pt_regs at RSP, as an operand. @type {(field: RegisterField) => string} */
export const field = (name) => `[rsp + ${offsetOf(name)}]`

/** @type {(register: string) => string} */
const low32 = (register) => (/^r\d/.test(register) ? `${register}d` : register.replace('r', 'e'))

/** Pushes a register and clears it, so that the user's value goes nowhere else. @type {(register: string) => string} */
const pushAndClear = (register) => `    push ${register}\n    xor ${low32(register)}, ${low32(register)}`

const pushed = [...GENERAL_REGISTERS].reverse()

/** Pushes all general registers, RDI first. */
export const PUSH_REGISTERS = pushed.map(pushAndClear).join('\n')

/** The same where RDI is in its place already. */
export const PUSH_REGISTERS_BUT_RDI = pushed.slice(1).map(pushAndClear).join('\n')

/** Takes them back; RSP is then at `orig_ax`. */
export const POP_REGISTERS = GENERAL_REGISTERS.map((register) => `    pop ${register}`).join('\n')
