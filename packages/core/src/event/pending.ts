import type { Cpu } from '../cpu/cpu.js'
import { PENDING_DEBUG, PENDING_INTERRUPTS, RFLAGS, STATUS } from '../state/registers.js'
import { IF } from '../state/rflags.js'
import {
  BLOCKED_BY_MOV_SS,
  BLOCKED_BY_NMI,
  BLOCKED_BY_STI,
  PENDING_INTERRUPT,
  PENDING_MACHINE_CHECK,
  PENDING_NMI,
  PENDING_REQUEST,
  PENDING_TRAP,
} from '../state/status.js'
import { type CpuEvent, externalInterrupt, nmi, VECTOR_DB, VECTOR_MC } from './event.js'
import { Fault, faultEvent } from './fault.js'

/** Latches an NMI. One latch: a second one while it is set changes nothing. */
export function pendNmi(cpu: Cpu): void {
  cpu.words[STATUS] = cpu.words[STATUS]! | PENDING_NMI
}

/** Pends a machine check (#MC). */
export function pendMachineCheck(cpu: Cpu): void {
  cpu.words[STATUS] = cpu.words[STATUS]! | PENDING_MACHINE_CHECK
}

/** Pends an external interrupt, 0–255; it waits for RFLAGS.IF. No interrupt controller takes part: nothing waits for an EOI. */
export function pendInterrupt(cpu: Cpu, vector: number): void {
  const slot = PENDING_INTERRUPTS + (vector >>> 5)
  cpu.words[slot] = cpu.words[slot]! | (1 << (vector & 31))
  cpu.words[STATUS] = cpu.words[STATUS]! | PENDING_INTERRUPT
}

/** Pends a debug trap for the next boundary; `conditions` in DR6's layout, all positive. */
export function pendDebugTrap(cpu: Cpu, conditions: number): void {
  cpu.words[PENDING_DEBUG] = cpu.words[PENDING_DEBUG]! | conditions
  cpu.words[STATUS] = cpu.words[STATUS]! | PENDING_TRAP
}

/**
 * Which pending event would be taken at this boundary, as its bit of STATUS, in the order of priority (SDM 3A table 6-2):
 * machine check, trap on the previous instruction, NMI, maskable interrupt. 0 where none is pending or all are held back.
 * Changes nothing.
 *
 * STI blocking does not hold an NMI back (the manual leaves it open; docs/disputed.md).
 */
export function deliverableEvent(cpu: Cpu): number {
  const status = cpu.words[STATUS]!
  if ((status & PENDING_MACHINE_CHECK) !== 0) return PENDING_MACHINE_CHECK
  if ((status & BLOCKED_BY_MOV_SS) !== 0) return 0
  if ((status & PENDING_TRAP) !== 0) return PENDING_TRAP
  if ((status & PENDING_NMI) !== 0 && (status & BLOCKED_BY_NMI) === 0) return PENDING_NMI
  const interrupts = status & (PENDING_INTERRUPT | PENDING_REQUEST)
  if (interrupts === 0 || (status & BLOCKED_BY_STI) !== 0 || (cpu.words[RFLAGS]! & IF) === 0) return 0
  return (interrupts & PENDING_INTERRUPT) !== 0 ? PENDING_INTERRUPT : PENDING_REQUEST
}

/** The event to take at this boundary, or null: see {@link deliverableEvent}. It is no longer pending afterwards. */
export function takePendingEvent(cpu: Cpu): CpuEvent | null {
  const { words } = cpu
  const pending = deliverableEvent(cpu)
  switch (pending) {
    case PENDING_MACHINE_CHECK:
      words[STATUS] = words[STATUS]! & ~pending
      return faultEvent(new Fault(VECTOR_MC), false)
    case PENDING_TRAP: {
      const conditions = words[PENDING_DEBUG]!
      words[PENDING_DEBUG] = 0
      words[STATUS] = words[STATUS]! & ~pending
      return faultEvent(new Fault(VECTOR_DB, 0, conditions), false)
    }
    case PENDING_NMI:
      words[STATUS] = words[STATUS]! & ~pending
      return nmi()
    case PENDING_INTERRUPT:
      return externalInterrupt(takeHighestInterrupt(cpu))
    case PENDING_REQUEST:
      return externalInterrupt(cpu.machine.interruptController!.acknowledge(cpu))
    default:
      return null
  }
}

/** The highest pending vector; it is no longer pending. */
function takeHighestInterrupt(cpu: Cpu): number {
  const { words } = cpu
  for (let n = 7; n >= 0; n--) {
    const bits = words[PENDING_INTERRUPTS + n]!
    if (bits === 0) continue
    const bit = 31 - Math.clz32(bits)
    words[PENDING_INTERRUPTS + n] = bits & ~(1 << bit)
    const rest = words.subarray(PENDING_INTERRUPTS, PENDING_INTERRUPTS + 8).some((word) => word !== 0)
    if (!rest) words[STATUS] = words[STATUS]! & ~PENDING_INTERRUPT
    return n * 32 + bit
  }
  throw new RangeError('PENDING_INTERRUPT is set and no vector is pending')
}
