import type { Cpu } from '../cpu/cpu.js'

/**
 * What stands between a CPU and the world, such as a local APIC. It keeps its state in declared regions, sets
 * PENDING_REQUEST in a CPU's STATUS while it asks for an interrupt, and ARRIVING while something is on its way to the CPU.
 */
export interface InterruptController {
  /** The CPU is at a boundary and ARRIVING is set: accepts what was sent to it, and clears ARRIVING. */
  arrive(cpu: Cpu): void
  /**
   * The CPU takes the interrupt that PENDING_REQUEST announced: returns its vector, and keeps or clears the request by
   * what is left.
   */
  acknowledge(cpu: Cpu): number
  /** CR8 was written. */
  priorityChanged(cpu: Cpu): void
}
