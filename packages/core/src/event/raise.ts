import type { Cpu } from '../cpu/cpu.js'
import { MachineError } from '../error.js'
import { RIP } from '../state/registers.js'
import { deliverEvent } from './deliver.js'
import {
  type CpuEvent,
  externalInterrupt,
  HARDWARE_EXCEPTION,
  instructionEvent,
  isInstructionEvent,
  nmi,
  OTHER_EVENT,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  pushesErrorCode,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_OF,
  vectorName,
} from './event.js'

/** An event by kind, for people: what {@link raise} delivers. `length` is the raising instruction's, in bytes. */
export type RaisedEvent =
  | { readonly kind: 'externalInterrupt'; readonly vector: number }
  /** `sources`: the bitmap of sources, where the CPU reports it. */
  | { readonly kind: 'nmi'; readonly sources?: bigint }
  | {
      readonly kind: 'hardwareException'
      readonly vector: number
      /** For the vectors that push one; default 0. */
      readonly errorCode?: number
      /** The linear address of #PF, the conditions of #DB in DR6's layout (all positive), the components of an XFD #NM. */
      readonly eventData?: bigint
    }
  /** INT n. */
  | { readonly kind: 'softwareInterrupt'; readonly vector: number; readonly length?: number }
  | { readonly kind: 'int1'; readonly length?: number }
  | { readonly kind: 'int3'; readonly length?: number }
  | { readonly kind: 'into'; readonly length?: number }
  /** SYSCALL and SYSENTER, where they are events (FRED). */
  | { readonly kind: 'syscall'; readonly length?: number }
  | { readonly kind: 'sysenter'; readonly length?: number }

/**
 * Makes an event happen now, at RIP, and delivers it through the active mechanism with all that may become of it. Nothing
 * holds it back: neither RFLAGS.IF nor blocking is looked at. Events that an instruction asks for happen as if one of
 * `length` bytes at RIP had asked: they report the instruction after it.
 *
 * @throws MachineError for numbers that no such event can have, or when no mechanism is active
 */
export function raise(cpu: Cpu, event: RaisedEvent): void {
  const cpuEvent = toCpuEvent(event)
  cpu.startLo = cpu.words[RIP]!
  cpu.startHi = cpu.words[RIP + 1]!
  if (isInstructionEvent(cpuEvent.type)) cpu.rip = BigInt.asUintN(64, cpu.rip + BigInt(cpuEvent.length))
  deliverEvent(cpu, cpuEvent)
}

function toCpuEvent(event: RaisedEvent): CpuEvent {
  switch (event.kind) {
    case 'externalInterrupt':
      return externalInterrupt(within('vector', event.vector, 0, 255))
    case 'nmi':
      return nmi(event.sources)
    case 'hardwareException':
      return exception(within('exception vector', event.vector, 0, 31), event.errorCode, event.eventData ?? 0n)
    case 'softwareInterrupt':
      return instruction(SOFTWARE_INTERRUPT, within('vector', event.vector, 0, 255), event.length ?? 2)
    case 'int1':
      return instruction(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB, event.length ?? 1)
    case 'int3':
      return instruction(SOFTWARE_EXCEPTION, VECTOR_BP, event.length ?? 1)
    case 'into':
      return instruction(SOFTWARE_EXCEPTION, VECTOR_OF, event.length ?? 1)
    case 'syscall':
      return instruction(OTHER_EVENT, 1, event.length ?? 2)
    case 'sysenter':
      return instruction(OTHER_EVENT, 2, event.length ?? 2)
  }
}

function instruction(type: 4 | 5 | 6 | 7, vector: number, length: number): CpuEvent {
  return instructionEvent(type, vector, within('instruction length', length, 1, 15))
}

function exception(vector: number, errorCode: number | undefined, data: bigint): CpuEvent {
  const hasErrorCode = pushesErrorCode(vector)
  if (errorCode !== undefined && !hasErrorCode) {
    throw new MachineError('raise-error-code', `${vectorName(vector)} has no error code, and ${errorCode} was given`)
  }
  return {
    type: HARDWARE_EXCEPTION,
    vector,
    errorCode: within('error code', errorCode ?? 0, 0, 0xffff_ffff),
    hasErrorCode,
    dataLo: Number(BigInt.asIntN(32, data)),
    dataHi: Number(BigInt.asIntN(32, data >> 32n)),
    length: 0,
    nested: false,
  }
}

function within(what: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new MachineError('raise-range', `${what} ${value} is not possible`, { hint: `${least} to ${most} are` })
}
