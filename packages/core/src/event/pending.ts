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

/** Pends an external interrupt, 0–255; it waits for RFLAGS.IF. */
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
 * The event to take at this boundary, in the order of priority (SDM 3A table 6-2), or null: machine check, trap on the
 * previous instruction, NMI, maskable interrupt. It is no longer pending afterwards.
 *
 * STI blocking does not hold an NMI back (the manual leaves it open; docs/disputed.md).
 */
export function takePendingEvent(cpu: Cpu): CpuEvent | null {
  const { words } = cpu
  const status = words[STATUS]!
  if ((status & PENDING_MACHINE_CHECK) !== 0) {
    words[STATUS] = status & ~PENDING_MACHINE_CHECK
    return faultEvent(new Fault(VECTOR_MC), false)
  }
  if ((status & BLOCKED_BY_MOV_SS) !== 0) return null
  if ((status & PENDING_TRAP) !== 0) {
    const conditions = words[PENDING_DEBUG]!
    words[PENDING_DEBUG] = 0
    words[STATUS] = status & ~PENDING_TRAP
    return faultEvent(new Fault(VECTOR_DB, 0, conditions), false)
  }
  if ((status & PENDING_NMI) !== 0 && (status & BLOCKED_BY_NMI) === 0) {
    words[STATUS] = status & ~PENDING_NMI
    return nmi()
  }
  if ((status & PENDING_INTERRUPT) !== 0 && (status & BLOCKED_BY_STI) === 0 && (words[RFLAGS]! & IF) !== 0) {
    return externalInterrupt(takeHighestInterrupt(cpu))
  }
  return null
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
