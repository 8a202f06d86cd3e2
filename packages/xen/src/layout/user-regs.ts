/**
 * `struct cpu_user_regs` as Xen's own code sees it, low to high: what PUSH_AND_CLEAR_GPRS pushes, the error code with the
 * entry vector above it, and the frame of the CPU. The first 15 are in the order in which POP takes them.
 */

/** A field of a structure in memory. */
export interface Field {
  readonly name: string
  /** 1, 2, 4 or 8; more for an array. */
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

/** A field of `struct cpu_user_regs`. */
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

/** The data selectors of vm86 mode, a u16 each in a quadword, that once lay above SS (X12); the public ABI still has them. */
export const DATA_SELECTORS = ['es', 'ds', 'fs', 'gs'] as const
export type DataSelector = (typeof DATA_SELECTORS)[number]
export const DATA_SELECTOR_FIELDS: readonly Field[] = DATA_SELECTORS.map(quad)

/** Where the fields of a structure lie. */
export interface PlacedFields {
  /** Byte offset of each field, in order. */
  readonly offsets: ReadonlyMap<string, number>
  /** Size of each field in bytes. */
  readonly sizes: ReadonlyMap<string, number>
  /** Size of the whole in bytes. */
  readonly bytes: number
}

/** Places fields one behind the other, each aligned to its size, arrays to 8. */
export function placeFields(fields: readonly Field[]): PlacedFields {
  const offsets = new Map<string, number>()
  const sizes = new Map<string, number>()
  let at = 0
  for (const { name, bytes } of fields) {
    const alignment = Math.min(bytes, 8)
    at = Math.ceil(at / alignment) * alignment
    offsets.set(name, at)
    sizes.set(name, bytes)
    at += bytes
  }
  return { offsets, sizes, bytes: at }
}

const placed = placeFields(USER_REGS_FIELDS)

/** 168 bytes. */
export const USER_REGS_BYTES = placed.bytes

/** Offset of a field of cpu_user_regs in bytes. */
export const userRegsOffset = (name: UserRegister): number => placed.offsets.get(name)!

/** The fields in their places. */
export const USER_REGS: PlacedFields = placed

/** Offset of a data selector from the start of a cpu_user_regs that has them: above SS (X12). */
export const dataSelectorOffset = (name: DataSelector): number => placed.bytes + 8 * DATA_SELECTORS.indexOf(name)

/** Bit of entry_vector: the guest came by SYSCALL or SYSENTER, and may go back by SYSRET. */
export const TRAP_SYSCALL = 0x100
