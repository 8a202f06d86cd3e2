import { type Cpu, UnsupportedError } from '@trapframe/core'
import { apicId, SEND_PENDING } from './command.js'
import { endOfInterrupt, MASKED, processorPriority, SOFTWARE_ENABLED, writeTaskPriority } from './interrupts.js'
import { isSending, send } from './ipi.js'
import { apicMode } from './mode.js'
import { DIVIDE, ERRORS, ESR, ICR, INVERTED_DFR, IRR, ISR, LDR, LVT, LVT_CMCI, localApic, SVR, TPR } from './region.js'

/** Register numbers: bits 11:4 of the offset in the page, and MSR index - 800h. */
export const R_ID = 0x02
export const R_VERSION = 0x03
export const R_TPR = 0x08
const R_APR = 0x09
export const R_PPR = 0x0a
export const R_EOI = 0x0b
const R_RRD = 0x0c
export const R_LDR = 0x0d
const R_DFR = 0x0e
export const R_SVR = 0x0f
export const R_ISR = 0x10
export const R_TMR = 0x18
export const R_IRR = 0x20
export const R_ESR = 0x28
export const R_CMCI = 0x2f
export const R_ICR = 0x30
const R_ICR_HIGH = 0x31
export const R_LVT = 0x32
export const R_LVT_LAST = 0x37
export const R_INITIAL_COUNT = 0x38
export const R_CURRENT_COUNT = 0x39
export const R_DIVIDE = 0x3e

/** Version 15h with seven local vector table entries. */
const VERSION = 0x0006_0015
/** What can be written to SVR and the timer's divisor; the rest is reserved. */
export const SVR_BITS = 0x1ff
export const DIVIDE_BITS = 0xb

/** First word of a local vector table entry in the region, by its register; null for other registers. */
function entrySlot(register: number): number | null {
  if (register === R_CMCI) return LVT_CMCI
  return register >= R_LVT && register <= R_LVT_LAST ? LVT + 2 * (register - R_LVT) : null
}

/** What can be written to a local vector table entry: the rest is reserved or says a status. LINT0 and LINT1 have pins, the timer modes. */
export function entryBits(register: number): number {
  switch (register) {
    case R_LVT:
      return 0x700ff
    case R_LVT + 3:
    case R_LVT + 4:
      return 0x1a7ff
    case R_LVT_LAST:
      return 0x100ff
    default:
      return 0x107ff
  }
}

/** A register's 32 bits (for ICR its lower ones); undefined where there is none by that number. */
export function readRegister(cpu: Cpu, register: number): number | undefined {
  const { words } = cpu
  const slot = localApic(cpu)
  if (register >= R_ISR && register < R_TMR) return words[slot + ISR + register - R_ISR]!
  // No interrupt here is level-triggered.
  if (register >= R_TMR && register < R_IRR) return 0
  if (register >= R_IRR && register < R_ESR) return words[slot + IRR + register - R_IRR]!
  const entry = entrySlot(register)
  if (entry !== null) return words[slot + entry]!
  switch (register) {
    case R_ID:
      return apicMode(cpu) === 'x2apic' ? apicId(cpu) : apicId(cpu) << 24
    case R_VERSION:
      return VERSION
    case R_TPR:
      return words[slot + TPR]!
    case R_PPR:
      return processorPriority(cpu)
    case R_LDR:
      return words[slot + LDR]!
    case R_DFR:
      return ~words[slot + INVERTED_DFR]!
    case R_SVR:
      return words[slot + SVR]!
    case R_ESR:
      return words[slot + ESR]!
    case R_ICR:
      return words[slot + ICR]! | (apicMode(cpu) === 'xapic' && isSending(cpu) ? SEND_PENDING : 0)
    case R_ICR_HIGH:
      return words[slot + ICR + 1]!
    case R_DIVIDE:
      return words[slot + DIVIDE]!
    case R_APR:
    case R_EOI:
    case R_RRD:
    case R_INITIAL_COUNT:
    case R_CURRENT_COUNT:
      return 0
    default:
      return undefined
  }
}

/**
 * Writes a register; what is read-only keeps its value. Returns false where there is none by that number.
 *
 * @throws UnsupportedError for a count that would start the timer, for another ID, and for commands that are not modelled
 */
export function writeRegister(cpu: Cpu, register: number, value: number): boolean {
  const { words } = cpu
  const slot = localApic(cpu)
  const entry = entrySlot(register)
  if (entry !== null) {
    const forced = (words[slot + SVR]! & SOFTWARE_ENABLED) === 0 ? MASKED : 0
    words[slot + entry] = (value & entryBits(register)) | forced
    return true
  }
  switch (register) {
    case R_ID:
      if (value === readRegister(cpu, R_ID)) return true
      throw new UnsupportedError('instruction', 'the ID of a local APIC is changed, which is not modelled')
    case R_TPR:
      writeTaskPriority(cpu, value)
      return true
    case R_EOI:
      endOfInterrupt(cpu)
      return true
    case R_LDR:
      words[slot + LDR] = value & 0xff00_0000
      return true
    case R_DFR:
      words[slot + INVERTED_DFR] = ~value & 0xf000_0000
      return true
    case R_SVR:
      words[slot + SVR] = value & SVR_BITS
      if ((value & SOFTWARE_ENABLED) === 0) maskEntries(cpu)
      return true
    case R_ESR:
      words[slot + ESR] = words[slot + ERRORS]!
      words[slot + ERRORS] = 0
      return true
    case R_ICR:
      sendCommand(cpu, value, words[slot + ICR + 1]! >>> 24)
      return true
    case R_ICR_HIGH:
      words[slot + ICR + 1] = value & 0xff00_0000
      return true
    case R_INITIAL_COUNT:
      if (value === 0) return true
      throw new UnsupportedError('instruction', 'the timer of the local APIC is started, which is not modelled')
    case R_DIVIDE:
      words[slot + DIVIDE] = value & DIVIDE_BITS
      return true
    default:
      return readRegister(cpu, register) !== undefined
  }
}

/** A command is written to ICR: it is sent, and kept for reading. */
export function sendCommand(cpu: Cpu, command: number, destination: number): void {
  const sent = command & ~SEND_PENDING
  send(cpu, sent, destination)
  cpu.words[localApic(cpu) + ICR] = sent
}

/** Software disable masks every local interrupt. */
function maskEntries(cpu: Cpu): void {
  const { words } = cpu
  const slot = localApic(cpu)
  words[slot + LVT_CMCI] = words[slot + LVT_CMCI]! | MASKED
  for (let n = 0; n < 6; n++) words[slot + LVT + 2 * n] = words[slot + LVT + 2 * n]! | MASKED
}
