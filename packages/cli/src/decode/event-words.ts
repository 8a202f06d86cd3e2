import {
  EXTERNAL_INTERRUPT,
  HARDWARE_EXCEPTION,
  NMI,
  OTHER_EVENT,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
  VECTOR_DB,
  VECTOR_NM,
  VECTOR_NMI,
  VECTOR_PF,
  vectorName,
} from '@trapframe/core'
import { VECTOR_SYSCALL, VECTOR_SYSENTER } from '@trapframe/fred'
import { hex } from './facts.js'

const TYPES: Readonly<Record<number, string>> = {
  [EXTERNAL_INTERRUPT]: 'external interrupt',
  [NMI]: 'NMI',
  [HARDWARE_EXCEPTION]: 'hardware exception',
  [SOFTWARE_INTERRUPT]: 'software interrupt (INT n)',
  [PRIVILEGED_SOFTWARE_EXCEPTION]: 'privileged software exception (INT1)',
  [SOFTWARE_EXCEPTION]: 'software exception (INT3, INTO)',
  [OTHER_EVENT]: 'other event (SYSCALL, SYSENTER)',
}

/** What a type of event is; 1 and everything above 7 are no type. */
export const typeWords = (type: number): string => TYPES[type] ?? 'no type of event'

/** Names of the exceptions in the manual's words, by vector. */
const EXCEPTIONS: Readonly<Record<number, string>> = {
  0: 'divide error',
  1: 'debug exception',
  3: 'breakpoint',
  4: 'overflow',
  5: 'BOUND range exceeded',
  6: 'invalid opcode',
  7: 'device not available',
  8: 'double fault',
  10: 'invalid TSS',
  11: 'segment not present',
  12: 'stack fault',
  13: 'general protection',
  14: 'page fault',
  16: 'x87 error',
  17: 'alignment check',
  18: 'machine check',
  19: 'SIMD error',
  20: 'virtualization exception',
  21: 'control protection',
  28: 'hypervisor injection',
  29: 'VMM communication',
  30: 'security exception',
}

const exceptionWords = (vector: number): string =>
  EXCEPTIONS[vector] === undefined ? 'no exception has this number' : `${vectorName(vector)}, ${EXCEPTIONS[vector]}`

/** Whose number a vector is, for a type of event. */
export function vectorWords(type: number | null, vector: number): string {
  switch (type) {
    case EXTERNAL_INTERRUPT:
      return `${hex(vector)}, ${vector < 32 ? 'the number of an exception' : 'as the interrupt controller gave it'}`
    case NMI:
      return vector === VECTOR_NMI ? 'an NMI always has it' : 'an NMI has vector 2'
    case SOFTWARE_INTERRUPT:
      return `INT ${hex(vector)}${ownerWords(vector)}`
    case PRIVILEGED_SOFTWARE_EXCEPTION:
      return vector === VECTOR_DB ? 'INT1' : 'INT1 has vector 1'
    case SOFTWARE_EXCEPTION:
      return vector === 3 ? 'INT3' : vector === 4 ? 'INTO' : 'INT3 has vector 3, INTO vector 4'
    case OTHER_EVENT:
      return vector === VECTOR_SYSCALL
        ? 'SYSCALL'
        : vector === VECTOR_SYSENTER
          ? 'SYSENTER'
          : 'neither SYSCALL nor SYSENTER'
    case HARDWARE_EXCEPTION:
      return vector === VECTOR_NMI ? 'the NMI’s number, which no exception has' : exceptionWords(vector)
    default:
      return vector === VECTOR_NMI ? 'NMI' : vector < 32 ? exceptionWords(vector) : 'an interrupt, or INT n'
  }
}

/** For INT n: that the number is somebody else’s too. */
function ownerWords(vector: number): string {
  if (vector === VECTOR_NMI) return ', the NMI’s number'
  return EXCEPTIONS[vector] === undefined ? '' : `, the number of ${vectorName(vector)}`
}

const PAGE_FAULT_BITS: readonly (readonly [bit: number, clear: string, set: string])[] = [
  [0, 'page not present', 'not allowed by the page'],
  [1, 'a read', 'a write'],
  [2, 'by supervisor mode', 'by user mode'],
  [3, '', 'reserved bit set in a paging entry'],
  [4, '', 'an instruction fetch'],
  [5, '', 'protection key'],
  [6, '', 'a shadow-stack access'],
  [15, '', 'SGX'],
]

const CONTROL_PROTECTION: Readonly<Record<number, string>> = {
  1: 'near RET',
  2: 'far RET or IRET',
  3: 'no ENDBRANCH where one had to be',
  4: 'RSTORSSP',
  5: 'SETSSBSY',
}

/** What an error code says; `type` null for a vector alone. */
export function errorCodeWords(type: number | null, vector: number, errorCode: bigint): string {
  if (errorCode >= 0xffff_ffffn) return 'not an error code: overwritten before it was printed'
  const code = Number(errorCode)
  if (type !== HARDWARE_EXCEPTION && type !== null)
    return code === 0 ? 'this event has none' : 'this event has none, and it is not 0'
  switch (vector) {
    case VECTOR_PF:
      return PAGE_FAULT_BITS.map(([bit, clear, set]) => ((code >>> bit) & 1 ? set : clear))
        .filter(Boolean)
        .join(', ')
    case 10:
    case 11:
    case 12:
    case 13:
      return selectorWords(code)
    case 21:
      return CONTROL_PROTECTION[code & 0x7fff] ?? 'an unknown reason'
    default:
      return code === 0 ? '' : 'has no meaning for this exception'
  }
}

function selectorWords(code: number): string {
  if (code === 0) return 'about no selector'
  const external = (code & 1) !== 0 ? '; met while an event was delivered that no instruction asked for' : ''
  if ((code & 0xfffe) === 0) return `about no selector${external}`
  if ((code & 2) !== 0) return `about the gate of vector ${hex(code >>> 3)}${external}`
  return `about selector ${hex(code & 0xfffc)} of the ${(code & 4) !== 0 ? 'LDT' : 'GDT'}${external}`
}

const DEBUG_BITS: readonly (readonly [bit: number, what: string])[] = [
  [0, 'breakpoint 0'],
  [1, 'breakpoint 1'],
  [2, 'breakpoint 2'],
  [3, 'breakpoint 3'],
  [11, 'bus lock'],
  [13, 'access to a debug register'],
  [14, 'single step'],
  [16, 'in a transaction'],
]

/** What FRED’s event data says. */
export function eventDataWords(type: number, vector: number, data: bigint): string {
  if (type === HARDWARE_EXCEPTION && vector === VECTOR_PF) return 'the address that was accessed, as CR2'
  if (type === HARDWARE_EXCEPTION && vector === VECTOR_DB) {
    const met = DEBUG_BITS.filter(([bit]) => (data >> BigInt(bit)) & 1n).map(([, what]) => what)
    return met.length === 0 ? 'no condition' : met.join(', ')
  }
  if (type === HARDWARE_EXCEPTION && vector === VECTOR_NM) {
    return data === 0n ? 'not about an extended feature' : 'the state components that IA32_XFD disables'
  }
  if (type === NMI) return data === 0n ? 'no source is reported' : 'the NMI’s sources, one bit each'
  return data === 0n ? 'this event has none' : 'this event has none, and it is not 0'
}

const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [0, 'CF'],
  [2, 'PF'],
  [4, 'AF'],
  [6, 'ZF'],
  [7, 'SF'],
  [8, 'TF'],
  [9, 'IF'],
  [10, 'DF'],
  [11, 'OF'],
  [14, 'NT'],
  [16, 'RF'],
  [17, 'VM'],
  [18, 'AC'],
  [19, 'VIF'],
  [20, 'VIP'],
  [21, 'ID'],
]

/** The flags that are set, and IOPL where it is not 0. */
export function rflagsWords(rflags: bigint): string {
  const iopl = Number((rflags >> 12n) & 3n)
  const set = FLAGS.filter(([bit]) => (rflags >> BigInt(bit)) & 1n).map(([, name]) => name)
  return [...set, ...(iopl === 0 ? [] : [`IOPL ${iopl}`])].join(' ') || 'no flag set'
}
