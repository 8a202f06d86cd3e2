import { GENERAL_REGISTERS, USER_REGS_BYTES, type UserRegister, userRegsOffset } from '../layout/user-regs.js'

/** The pieces of assembly that every entry and exit is made of; `rsp` is the start of cpu_user_regs. */

/** A field of the cpu_user_regs at RSP, as an operand. */
export const field = (name: UserRegister): string => `[rsp + ${userRegsOffset(name)}]`

/** The entry vector, a doubleword above the error code, when only the frame has been pushed. */
export const ENTRY_VECTOR_ABOVE_ERROR_CODE = '[rsp + 4]'

const low32 = (register: string): string => (/^r\d/.test(register) ? `${register}d` : register.replace('r', 'e'))

/** Pushes the general registers below error_code, and clears them so that the guest's values go nowhere else. */
export const PUSH_AND_CLEAR_GPRS = [...GENERAL_REGISTERS]
  .reverse()
  .map((register) => `    push ${register}\n    xor ${low32(register)}, ${low32(register)}`)
  .join('\n')

/** Takes them back; RSP is then at error_code. */
export const POP_GPRS = GENERAL_REGISTERS.map((register) => `    pop ${register}`).join('\n')

/** RDI = guest_cpu_user_regs of the CPU that owns the stack in RSP: the top of its 8 pages less what lies above. */
export const loadGuestRegs = (stackBytes: number, guestRegs: number): string =>
  [`    mov rdi, rsp`, `    or rdi, ${stackBytes - 1}`, `    sub rdi, ${stackBytes - 1 - guestRegs}`].join('\n')

/** Quadwords of cpu_user_regs. */
export const USER_REGS_QUADS = USER_REGS_BYTES / 8
