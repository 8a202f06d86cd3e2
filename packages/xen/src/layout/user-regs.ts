/**
 * `struct cpu_user_regs` as Xen's own code sees it, low to high: what PUSH_AND_CLEAR_GPRS pushes, the error code with the
 * entry vector above it, and the frame of the CPU. The first 15 are in the order in which POP takes them.
 */

/** A field of a structure in memory. */
export interface Field {
  readonly name: string
  /** 1, 2, 4 or 8; fields are aligned to their size. */
  readonly bytes: number
}

const quad = (name: string): Field => ({ name, bytes: 8 })
const word = (name: string): Field => ({ name, bytes: 4 })

export const GENERAL_REGISTERS = [
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
] as const

export type UserRegister =
  | (typeof GENERAL_REGISTERS)[number]
  | 'error_code'
  | 'entry_vector'
  | 'rip'
  | 'cs'
  | 'rflags'
  | 'rsp'
  | 'ss'

export const USER_REGS_FIELDS: readonly Field[] = [
  ...GENERAL_REGISTERS.map(quad),
  word('error_code'),
  word('entry_vector'),
  ...['rip', 'cs', 'rflags', 'rsp', 'ss'].map(quad),
]

/** Byte offset of each field, in order, and the size of the whole; every field aligned to its size. */
export function placeFields(fields: readonly Field[]): { offsets: ReadonlyMap<string, number>; bytes: number } {
  const offsets = new Map<string, number>()
  let at = 0
  for (const { name, bytes } of fields) {
    at = Math.ceil(at / bytes) * bytes
    offsets.set(name, at)
    at += bytes
  }
  return { offsets, bytes: at }
}

const placed = placeFields(USER_REGS_FIELDS)

/** 168 bytes. */
export const USER_REGS_BYTES = placed.bytes

/** Offset of a field of cpu_user_regs in bytes. */
export const userRegsOffset = (name: UserRegister): number => placed.offsets.get(name)!

/** Width of a field in bytes. */
export const userRegsWidth = (name: UserRegister): number =>
  USER_REGS_FIELDS.find((field) => field.name === name)!.bytes

/** Bit of entry_vector: the guest came by SYSCALL or SYSENTER, and may go back by SYSRET. */
export const TRAP_SYSCALL = 0x100
