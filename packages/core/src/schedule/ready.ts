import type { Cpu } from '../cpu/cpu.js'
import { deliverableEvent } from '../event/pending.js'
import type { Machine } from '../machine/machine.js'
import { STATUS } from '../state/registers.js'
import { ARRIVING, HALTED, SHUTDOWN, WAIT_FOR_SIPI } from '../state/status.js'

/** Whether an event would be delivered to a CPU at this boundary: pending, and not held back. Changes nothing. */
export function hasDeliverableEvent(cpu: Cpu): boolean {
  return deliverableEvent(cpu) !== 0
}

/**
 * Whether a step of a CPU would change anything: there is an instruction to execute, an event to deliver, or something
 * that was sent and is to be accepted. HLT is left by NMI, #MC, a trap, and an interrupt with RFLAGS.IF = 1 (SDM 2A HLT).
 * Shutdown, and the wait for a startup IPI, are not left by a step.
 */
export function canStep(cpu: Cpu): boolean {
  const status = cpu.words[STATUS]!
  if ((status & ARRIVING) !== 0) return true
  if ((status & (SHUTDOWN | WAIT_FOR_SIPI)) !== 0) return false
  return (status & HALTED) === 0 || hasDeliverableEvent(cpu)
}

/** Numbers of the CPUs that can make a step now, rising. */
export function enabledCpus(machine: Machine): number[] {
  return machine.cpus.filter(canStep).map(({ id }) => id)
}
