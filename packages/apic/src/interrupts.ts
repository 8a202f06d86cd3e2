import { type Cpu, CR8, PENDING_REQUEST, STATUS } from '@trapframe/core'
import { ERRORS, IRR, ISR, LVT, localApic, SVR, TPR } from './region.js'

/** Bits of ESR (SDM 3A "Error Handling"). */
export const SEND_ILLEGAL_VECTOR = 1 << 5
export const RECEIVE_ILLEGAL_VECTOR = 1 << 6
export const ILLEGAL_REGISTER = 1 << 7

/** SVR bit 8. */
export const SOFTWARE_ENABLED = 1 << 8
/** Bit 16 of a local vector table entry. */
export const MASKED = 1 << 16
/** Vectors below are not for interrupts. */
export const FIRST_VECTOR = 16
/** The entry of errors: register 37h. */
const LVT_ERROR = LVT + 10

/** The priority class of a vector or a priority: its upper half. */
const classOf = (value: number): number => value >>> 4

/** The highest vector of 256 bits; -1 for none. */
function highest(cpu: Cpu, slot: number): number {
  for (let n = 7; n >= 0; n--) {
    const bits = cpu.words[slot + n]!
    if (bits !== 0) return n * 32 + 31 - Math.clz32(bits)
  }
  return -1
}

function mark(cpu: Cpu, slot: number, vector: number): void {
  const at = slot + (vector >>> 5)
  cpu.words[at] = cpu.words[at]! | (1 << (vector & 31))
}

function unmark(cpu: Cpu, slot: number, vector: number): void {
  const at = slot + (vector >>> 5)
  cpu.words[at] = cpu.words[at]! & ~(1 << (vector & 31))
}

/** The processor priority: the task's, or the class of what is in service (SDM 3A "Task and Processor Priorities"). */
export function processorPriority(cpu: Cpu): number {
  const slot = localApic(cpu)
  const task = cpu.words[slot + TPR]!
  const served = Math.max(highest(cpu, slot + ISR), 0)
  return classOf(task) >= classOf(served) ? task : served & 0xf0
}

/** Asks the CPU for the highest requested interrupt, if its class is above the processor priority; else stops asking. */
export function updateRequest(cpu: Cpu): void {
  const { words } = cpu
  const vector = highest(cpu, localApic(cpu) + IRR)
  const asks = vector >= 0 && classOf(vector) > classOf(processorPriority(cpu))
  words[STATUS] = asks ? words[STATUS]! | PENDING_REQUEST : words[STATUS]! & ~PENDING_REQUEST
}

/** The CPU takes what it was asked for: the interrupt goes from requested to in service. */
export function acknowledge(cpu: Cpu): number {
  const slot = localApic(cpu)
  const vector = highest(cpu, slot + IRR)
  unmark(cpu, slot + IRR, vector)
  mark(cpu, slot + ISR, vector)
  updateRequest(cpu)
  return vector
}

/** EOI: the highest interrupt in service is done. */
export function endOfInterrupt(cpu: Cpu): void {
  const slot = localApic(cpu)
  const vector = highest(cpu, slot + ISR)
  if (vector < 0) return
  unmark(cpu, slot + ISR, vector)
  updateRequest(cpu)
}

/** TPR was written: CR8 shows its upper half. */
export function writeTaskPriority(cpu: Cpu, priority: number): void {
  cpu.words[localApic(cpu) + TPR] = priority & 0xff
  cpu.words[CR8] = classOf(priority & 0xff)
  updateRequest(cpu)
}

/** CR8 was written: it is the upper half of TPR, and clears the lower one. */
export function priorityChanged(cpu: Cpu): void {
  cpu.words[localApic(cpu) + TPR] = cpu.words[CR8]! << 4
  updateRequest(cpu)
}

export function isSoftwareEnabled(cpu: Cpu): boolean {
  return (cpu.words[localApic(cpu) + SVR]! & SOFTWARE_ENABLED) !== 0
}

/**
 * A fixed interrupt has come. A software-disabled local APIC does not take it; what was requested before stays requested
 * (SDM 3A "Local APIC State After It Has Been Software Disabled"). Returns whether it was taken.
 */
export function requestInterrupt(cpu: Cpu, vector: number): boolean {
  if (!isSoftwareEnabled(cpu)) return false
  if (vector < FIRST_VECTOR) {
    noteError(cpu, RECEIVE_ILLEGAL_VECTOR)
    return false
  }
  mark(cpu, localApic(cpu) + IRR, vector)
  updateRequest(cpu)
  return true
}

/** Notes an error for ESR, and raises the interrupt of its local vector table entry unless that is masked. */
export function noteError(cpu: Cpu, error: number): void {
  const { words } = cpu
  const slot = localApic(cpu)
  const known = (words[slot + ERRORS]! & error) !== 0
  words[slot + ERRORS] = words[slot + ERRORS]! | error
  const entry = words[slot + LVT_ERROR]!
  if (!known && (entry & MASKED) === 0 && (entry & 0xff) >= FIRST_VECTOR) requestInterrupt(cpu, entry & 0xff)
}
