import type { Schedule } from '@trapframe/core'
import type { ExploreSection } from './explore-section.js'
import type { ImageSpec, MachineSpec, MomentSpec, ProgramName, StartingPoint } from './grammar.js'
import type { Axes } from './matrix.js'
import type { Path, Places } from './place.js'

/** A scenario file that was read: what it says, cell by cell. Nothing in it depends on a machine yet. */
export interface Scenario {
  readonly file: string
  readonly name: string
  readonly about: string | undefined
  readonly refs: readonly string[]
  readonly programs: Readonly<Partial<Record<ProgramName, ProgramText | ImageSpec>>>
  /** Code that stands at a label of the host, in the place of the host's own; by label. */
  readonly code: Readonly<Record<string, ProgramText>>
  /** Which CPU makes each step. */
  readonly schedule: Schedule
  /** The most steps that a run may take. */
  readonly steps: number
  readonly cells: readonly CellSpec[]
  readonly places: Places
}

/** One combination of the matrix's values, with what the file says for it. */
export interface CellSpec {
  /** `idt, ist: false`; empty where there is no matrix. */
  readonly name: string
  readonly axes: Axes
  readonly machine: MachineSpec
  /** Where each CPU starts; the last one holds for the CPUs after it. Empty without a program. */
  readonly start: readonly StartingPoint[]
  /** What is set before the first step. */
  readonly setup: readonly ClauseSpec[]
  readonly inject: readonly InjectionSpec[]
  readonly expect: readonly ClauseSpec[]
  /** What a search tries in this cell; its expectations are those that are for the cell. */
  readonly explore: ExploreSection
}

/** The text of a program and where it stands in the file. */
export interface ProgramText {
  readonly text: string
  /** Line of its first line. */
  readonly line: number
  /** Column of the first character of each of its lines. */
  readonly column: number
}

export interface InjectionSpec {
  readonly event: string
  readonly at: MomentSpec
  /** The keys that belong to the event. */
  readonly rest: Readonly<Record<string, unknown>>
  readonly path: Path
}

/** An entry of `setup` or `expect`. */
export interface ClauseSpec {
  /** Number of the CPU that it speaks of, where it names one. */
  readonly cpu: number | undefined
  readonly verbs: readonly { readonly name: string; readonly value: unknown; readonly path: Path }[]
  readonly path: Path
}
