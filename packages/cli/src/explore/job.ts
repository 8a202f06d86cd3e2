import type { SearchResult, StopReason } from '@trapframe/explore'
import type { Axes } from '../scenario/matrix.js'

/**
 * What a search tries, as data: names and texts, no functions and no addresses, so that a job can be written to a file or
 * sent to another process that makes the same machine from the same scenario.
 */
export interface SearchPlan {
  /** As people write them: `nmi`, `interrupt:0x21`, `pf:guest_data`. */
  readonly events: readonly string[]
  readonly depth: number
  readonly eventCpus?: readonly number[] | undefined
  /** Quantities: labels, addresses, sums. */
  readonly regions?: readonly { readonly from: string; readonly to: string }[] | undefined
  readonly invariants?: readonly string[] | undefined
  /** Where a CPU is done, beside the ends of the scenario's programs: quantities. */
  readonly end: readonly string[]
  readonly deadStacks: boolean
  /** Names of reductions that plugins know of. */
  readonly reductions?: readonly string[] | undefined
  readonly strategy: 'breadth-first' | 'depth-first' | 'iterative-deepening'
  readonly maxStates?: number | undefined
  readonly maxSteps?: number | undefined
  readonly maxSeconds?: number | undefined
}

/** A cell of a scenario that is to be searched. */
export interface SearchJob {
  readonly file: string
  /** Name of the cell; empty where there is no matrix. */
  readonly cell: string
  readonly plan: SearchPlan
}

/** An event, or something outside of the CPUs, right before a step of a path. */
export interface PathInjection {
  /** Name of the verb of `inject`, and what it takes. */
  readonly verb: readonly [name: string, value: Readonly<Record<string, unknown>>]
  /** What reports call it. */
  readonly event: string
  readonly cpu: number
  /** Number of the step that it precedes, from 1 over all CPUs. */
  readonly step: number
  readonly rip: bigint
  readonly label: string
}

/** The way to a violation, as a schedule can repeat it. */
export interface SearchPath {
  readonly injections: readonly PathInjection[]
  /** Which CPU makes each step. */
  readonly cpus: readonly number[]
  /** Reasons why a scenario cannot say it: events that have no verb. */
  readonly unsaid: readonly string[]
}

/** The first counterexample to an invariant. */
export interface Counterexample {
  readonly invariant: string
  readonly message: string
  readonly cpu: number
  /** Injected events and steps that lead there. */
  readonly events: number
  readonly steps: number
  readonly rip: bigint
  readonly label: string
  readonly path: SearchPath
  /** Other places, and events there, with which the same invariant is broken. */
  readonly others: number
}

/** What a search of one cell has found. */
export interface SearchOutcome extends Omit<SearchResult, 'violations'> {
  readonly job: SearchJob
  readonly axes: Axes
  /** One for each invariant, the shortest; by events, then steps. */
  readonly counterexamples: readonly Counterexample[]
  readonly stopped: readonly StopReason[]
}
