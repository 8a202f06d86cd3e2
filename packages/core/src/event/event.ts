/**
 * The events of x86-64, with the numbers that the architecture itself gives their types (SDM 3A 26.8.3, FRED chapter 8):
 * the same numbers stand in a VM entry's interruption information and in a FRED frame.
 */

export const EXTERNAL_INTERRUPT = 0
export const NMI = 2
export const HARDWARE_EXCEPTION = 3
/** INT n. */
export const SOFTWARE_INTERRUPT = 4
/** INT1. */
export const PRIVILEGED_SOFTWARE_EXCEPTION = 5
/** INT3 and INTO. */
export const SOFTWARE_EXCEPTION = 6
/** Under FRED: vector 1 is SYSCALL, vector 2 is SYSENTER. */
export const OTHER_EVENT = 7

/** The number of an event’s type; 1 is reserved. */
export type EventType = 0 | 2 | 3 | 4 | 5 | 6 | 7

/** Vectors of the architecture’s own events, by their mnemonics (SDM 3A table 6-1). */
export const VECTOR_DE = 0
export const VECTOR_DB = 1
export const VECTOR_NMI = 2
export const VECTOR_BP = 3
export const VECTOR_OF = 4
export const VECTOR_BR = 5
export const VECTOR_UD = 6
export const VECTOR_NM = 7
export const VECTOR_DF = 8
export const VECTOR_TS = 10
export const VECTOR_NP = 11
export const VECTOR_SS = 12
export const VECTOR_GP = 13
export const VECTOR_PF = 14
export const VECTOR_MF = 16
export const VECTOR_AC = 17
export const VECTOR_MC = 18
export const VECTOR_XM = 19
export const VECTOR_VE = 20
export const VECTOR_CP = 21

/** An event as a delivery mechanism sees it. RIP, RFLAGS and the rest of what it saves are in the CPU. */
export interface CpuEvent {
  readonly type: EventType
  /** 0–255. */
  readonly vector: number
  readonly errorCode: number
  readonly hasErrorCode: boolean
  /** Event data, 64 bits in halves: the linear address of #PF, the debug conditions of #DB (DR6 layout, all positive). */
  readonly dataLo: number
  readonly dataHi: number
  /** Length of the instruction in bytes, for types 4 to 7; 0 otherwise. */
  readonly length: number
  /** The event was met while another was delivered. Never set for #DF. */
  readonly nested: boolean
}

/** Types 4 to 7: an instruction asked for the event, so that it reports the next instruction. */
export function isInstructionEvent(type: EventType): boolean {
  return type >= SOFTWARE_INTERRUPT
}

/** An instruction's own event: INT n, INT1, INT3, INTO; SYSCALL and SYSENTER under FRED. `length` in bytes. */
export function instructionEvent(type: EventType, vector: number, length: number): CpuEvent {
  return { type, vector, errorCode: 0, hasErrorCode: false, dataLo: 0, dataHi: 0, length, nested: false }
}

/** An external interrupt with its vector. */
export function externalInterrupt(vector: number): CpuEvent {
  return instructionEvent(EXTERNAL_INTERRUPT, vector, 0)
}

/** A non-maskable interrupt: type 2, vector 2. `sources` is the NMI source bitmap where the CPU reports one. */
export function nmi(sources = 0n): CpuEvent {
  return {
    ...instructionEvent(NMI, VECTOR_NMI, 0),
    dataLo: Number(BigInt.asIntN(32, sources)),
    dataHi: Number(BigInt.asIntN(32, sources >> 32n)),
  }
}

/** Exceptions that push an error code (SDM 3A 6.13, 6.15; 29 and 30 are AMD's). */
export function pushesErrorCode(vector: number): boolean {
  return vector < 32 && ((0x60227d00 >>> vector) & 1) === 1
}

const NAMES = [
  '#DE',
  '#DB',
  'NMI',
  '#BP',
  '#OF',
  '#BR',
  '#UD',
  '#NM',
  '#DF',
  '',
  '#TS',
  '#NP',
  '#SS',
  '#GP',
  '#PF',
  '',
  '#MF',
  '#AC',
  '#MC',
  '#XM',
  '#VE',
  '#CP',
  '',
  '',
  '',
  '',
  '',
  '',
  '#HV',
  '#VC',
  '#SX',
]

/** The manual's short name of an exception vector, such as `#PF`; `vector 9` where it has none. */
export function vectorName(vector: number): string {
  return NAMES[vector] || `vector ${vector}`
}

/** What a person calls the event: `NMI`, `#PF`, `INT 0x80`, `interrupt 0x20`, `SYSCALL`. */
export function eventName(event: { readonly type: number; readonly vector: number }): string {
  const hex = `0x${event.vector.toString(16).padStart(2, '0')}`
  switch (event.type) {
    case EXTERNAL_INTERRUPT:
      return `interrupt ${hex}`
    case NMI:
      return 'NMI'
    case SOFTWARE_INTERRUPT:
      return `INT ${hex}`
    case PRIVILEGED_SOFTWARE_EXCEPTION:
      return 'INT1'
    case SOFTWARE_EXCEPTION:
      return event.vector === VECTOR_BP ? 'INT3' : event.vector === VECTOR_OF ? 'INTO' : `software exception ${hex}`
    case OTHER_EVENT:
      return event.vector === 1 ? 'SYSCALL' : event.vector === 2 ? 'SYSENTER' : `other event ${event.vector}`
    default:
      return vectorName(event.vector)
  }
}
