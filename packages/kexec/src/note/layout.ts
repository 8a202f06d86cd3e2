/**
 * The ELF notes that a CPU leaves for the crash kernel: NT_PRSTATUS with the registers that were interrupted, named CORE, and
 * Xen's own behind it with the control registers, named Xen. Offsets are from the start of the first note.
 */

/** elf_gregset_t of x86-64, in its order, 8 bytes each. */
export const NOTE_REGISTERS = [
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
  'orig_rax',
  'rip',
  'cs',
  'rflags',
  'rsp',
  'ss',
  'fs_base',
  'gs_base',
  'ds',
  'es',
  'fs',
  'gs',
] as const
export type NoteRegister = (typeof NOTE_REGISTERS)[number]

/** crash_xen_core_t, 8 bytes each. */
export const NOTE_CONTROLS = ['cr0', 'cr2', 'cr3', 'cr4'] as const
export type NoteControl = (typeof NOTE_CONTROLS)[number]

export const NT_PRSTATUS = 1
export const XEN_ELFNOTE_CRASH_REGS = 0x0100_0002

/** Three words: length of the name with its 0, length of the description, type. */
export const HEADER_BYTES = 12
export const PRSTATUS_NAME = 'CORE\0'
export const XEN_NAME = 'Xen\0'
/** struct elf_prstatus; within it the process, here the number of the CPU, and the registers. */
export const PRSTATUS_BYTES = 336
export const PRSTATUS_PID = 32
export const PRSTATUS_REGISTERS = 112

/** Names and descriptions take whole words. */
const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4

/** Byte offsets of the parts of a CPU’s crash notes. */
export const PRSTATUS_AT = HEADER_BYTES + padded(PRSTATUS_NAME.length)
export const REGISTERS_AT = PRSTATUS_AT + PRSTATUS_REGISTERS
export const XEN_NOTE_AT = PRSTATUS_AT + PRSTATUS_BYTES
export const CONTROLS_AT = XEN_NOTE_AT + HEADER_BYTES + padded(XEN_NAME.length)
/** Bytes of one CPU’s crash notes. */
export const NOTE_BYTES = CONTROLS_AT + 8 * NOTE_CONTROLS.length

/** Where a register's 8 bytes lie. */
export const noteOffset = (name: NoteRegister | NoteControl): number => {
  const register = NOTE_REGISTERS.indexOf(name as NoteRegister)
  return register >= 0 ? REGISTERS_AT + 8 * register : CONTROLS_AT + 8 * NOTE_CONTROLS.indexOf(name as NoteControl)
}
