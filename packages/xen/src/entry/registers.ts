import { CPU_INFO, type CpuInfoLayout, cpuStateOffset, SCF_VERW, STACK_BYTES } from '../layout/cpu-info.js'
import { GENERAL_REGISTERS, USER_REGS_BYTES, type UserRegister, userRegsOffset } from '../layout/user-regs.js'

/** The pieces of assembly that every entry and exit is made of; `rsp` is the start of cpu_user_regs. */

/** A field of the cpu_user_regs at RSP, as an operand. `byte` is added: 1 for bits 15:8. */
export const field = (name: UserRegister, byte = 0): string => `[rsp + ${userRegsOffset(name) + byte}]`

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
export const loadGuestRegs = (layout: CpuInfoLayout): string =>
  [`    mov rdi, rsp`, `    or rdi, ${STACK_BYTES - 1}`, `    sub rdi, ${STACK_BYTES - 1 - layout.guestRegs}`].join(
    '\n',
  )

/** Quadwords of cpu_user_regs. */
export const USER_REGS_QUADS = USER_REGS_BYTES / 8

/** R14 = last byte of the stack that RSP is on: from there the per-CPU state is found, whatever lies in between. */
export const GET_STACK_END = `    mov r14, rsp\n    or r14, ${STACK_BYTES - 1}`

/** A field of the per-CPU state, R14 being the end of the stack. */
export const cpuInfo = (name: string): string => `[r14 - ${STACK_BYTES - 1 - cpuStateOffset(name)}]`

/**
 * VERW if scf says so, with RSP at error_code and every register already the guest's: nothing is left to find cpu_info with
 * but a constant displacement from RSP (X9). That of a layout apart is not constant, and Xen's own stays in the code: it
 * reads whatever lies there (X13).
 */
export function condVerw(layout: CpuInfoLayout): string {
  const guestRegs = layout.name === 'apart' ? CPU_INFO.guestRegs : layout.guestRegs
  const at = (name: string): string => `[rsp + ${cpuStateOffset(name) - guestRegs - userRegsOffset('error_code')}]`
  return `
    test byte ${at('scf')}, ${SCF_VERW}
    jz .no_verw
    verw word ${at('verw_sel')}
.no_verw:`
}
