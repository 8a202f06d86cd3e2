import type { Boot, Machine, TraceEntry } from '@trapframe/core'
import type { Delivery, Standing } from './delivery.js'
import type { RegionFinder } from './symbols.js'

/** How a run, or one of its CPUs, ended. */
export const OUTCOMES = ['done', 'halted', 'shutdown', 'running'] as const
/**
 * `done`: the end of the program was reached; `halted`: HLT, and nothing that would wake the CPU; `shutdown`: a fault
 * met the delivery of #DF, or a machine check one that was not handled yet; `running`: the limit of steps came first.
 */
export type Outcome = (typeof OUTCOMES)[number]

/** One step of one CPU. */
export interface Step {
  /** Counted from 1 over all CPUs. */
  readonly number: number
  readonly cpu: number
  readonly kind: 'instruction' | 'event' | 'idle'
  /** The instruction's text, from the scenario where it comes from there; empty for events. */
  readonly text: string
  /** Host routine that ran as this step. */
  readonly routine: string | null
  /** Line in the scenario file, where the instruction comes from there. */
  readonly line: number | null
  /** What the scenario injected right before. */
  readonly injected: readonly string[]
  readonly before: Standing
  readonly after: Standing
  readonly deliveries: readonly Delivery[]
  /** Faults that were raised: `#PF(0x2)`. */
  readonly faults: readonly FaultNote[]
  /** Mnemonic of the return that was executed. */
  readonly returned: string | null
}

/** A fault that was raised during a step. */
export interface FaultNote {
  readonly fault: string
  readonly errorCode: number
  /** What was being delivered, or null. */
  readonly during: string | null
}

/** An invariant that did not hold. */
export interface Violation {
  readonly invariant: string
  readonly step: number
  readonly cpu: number
  readonly message: string
}

/** A finished run of one cell, for verbs and reports. */
export interface CellRun {
  readonly machine: Machine
  readonly boot: Boot
  readonly labels: ReadonlyMap<string, bigint>
  /** What became of the run: the worst of its CPUs. */
  readonly outcome: Outcome
  /** What became of each CPU. */
  readonly outcomes: readonly Outcome[]
  /** How many steps it took. */
  readonly steps: number
  /** The steps themselves, where they were asked for. */
  readonly history: readonly Step[]
  readonly deliveries: readonly Delivery[]
  readonly violations: readonly Violation[]
  /** Names of the invariants that were watched. */
  readonly invariants: readonly string[]
  /** Everything that the host printed, from the boot on. */
  readonly log: readonly string[]
  /** Filled where an expectation reads it. */
  readonly trace: readonly TraceEntry[]
  /** Names an address: `syscall_entry+4`, or hexadecimal digits. */
  nameOf(address: bigint): string
  /** Where an address lies, as seen from a CPU. */
  readonly regionOf: RegionFinder
}
