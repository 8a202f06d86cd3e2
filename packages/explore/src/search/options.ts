import type { Cpu, MemoryArea } from '@trapframe/core'
import type { SearchCheckpoint } from './checkpoint.js'
import type { ExploreEvent } from './event.js'
import type { SearchProgress } from './result.js'

/** In which order a search goes through states. */
export type Strategy = 'breadth-first' | 'depth-first' | 'iterative-deepening'

/**
 * Which CPUs are by themselves: whatever such a CPU does next, with or without an event, and whatever happens to it,
 * neither reads what others may write before that nor writes what others use. The order of its next step and theirs then
 * makes no difference, and a search tries only this CPU's choices and leaves the others' for later (a persistent set). The
 * author of the software says so, by the machine's state alone, and answers for three things: that it is true until the CPU
 * has made its step, whatever the others do meanwhile; that no loop of a CPU is by itself all the way round, or the
 * others would wait for ever; and that invariants which look at several CPUs notice only steps that are not by themselves.
 */
export interface Alone {
  /** Whether a CPU is by itself at this boundary. */
  cpu(cpu: Cpu): boolean
  /** Whether something that may happen outside of the CPUs, by its name, happens to this one. */
  concerns(happening: string, cpu: Cpu): boolean
}

/** What a search tries, and where it stops. */
export interface SearchOptions {
  /**
   * `breadth-first` (the default) finds counterexamples with the fewest events, then the fewest steps. `depth-first` keeps
   * one path at a time instead of a frontier. `iterative-deepening` does so with no event, then with one, and so on, so
   * that the first counterexamples have the fewest events.
   */
  readonly strategy?: Strategy
  /** Events to inject, 30 at most; none where left out. */
  readonly events?: readonly ExploreEvent[]
  /** How many of them on one path; default 1. */
  readonly maxEvents?: number
  /** Numbers of the CPUs to which they happen; default all. */
  readonly eventCpus?: readonly number[]
  /** Memory in which RIP must lie for an event to happen; default everywhere. */
  readonly regions?: readonly MemoryArea[]
  /** Which invariants count; default all of the machine's. */
  readonly invariants?: readonly string[]
  /**
   * Whether a CPU has done what it was to do: it steps no further, but for events. Must depend on the machine's state
   * alone.
   */
  readonly atEnd?: (cpu: Cpu) => boolean
  /** Which CPUs need not be interleaved with the others, and when; default: all are, always. */
  readonly alone?: Alone
  /**
   * Software reads nothing below its stack pointer, so that what a handler left on its stack need not tell states apart: it
   * is cleared when the handler returns, and so is what lies below SSP on its shadow stack. Default false, as only the author of the software can say so.
   */
  readonly deadStacks?: boolean
  /**
   * Is called for every CPU after each step, and may make zero what nothing will use: see `interruptedContexts`. Must depend
   * on the machine's state alone, and do nothing the second time.
   */
  readonly forget?: (cpu: Cpu) => void
  /** Names of reductions that plugins know of (slot `REDUCTIONS`): which steps and states are left out. */
  readonly reductions?: readonly string[]
  /** Names for addresses in reports; default the boot's labels. */
  readonly nameOf?: (address: bigint) => string
  /** Budgets; a search that meets one ends as not complete. Steps are those of one path. */
  readonly maxStates?: number
  readonly maxSteps?: number
  readonly maxSeconds?: number
  /** Stop when so many distinct violations are found; default 16. */
  readonly maxViolations?: number
  /** Run through states that have one choice without hashing them; default true. */
  readonly straightLines?: boolean
  /** Compare whole states where hashes are equal, and throw where they differ. Slow, and needs a snapshot of every state. */
  readonly verify?: boolean
  /**
   * Groups of CPUs that are interchangeable: states that differ only in which of them does what count as one. Sound only
   * where nothing tells these CPUs apart: no stack, table, variable or identity of its own that software or an event uses.
   */
  readonly interchangeable?: readonly (readonly number[])[]
  /** Breadth first: is given the state of the search every so many seconds, and when it is stopped. */
  readonly checkpoint?: {
    readonly everySeconds: number
    save(checkpoint: SearchCheckpoint): void
  }
  /** Breadth first: goes on from a checkpoint of the same search. */
  readonly resume?: SearchCheckpoint
  readonly onProgress?: (progress: SearchProgress) => void
  /** Milliseconds between two calls of `onProgress`; default 500. */
  readonly progressEvery?: number
  /** Ends the search at the next opportunity; what is known is returned. An AbortSignal is one. */
  readonly signal?: { readonly aborted: boolean }
}

/** Fewer are possible in the rank of a state, which has 24 bits for steps and 7 for events. */
export const MOST_STEPS = (1 << 24) - 1
export const MOST_EVENTS = 126
/** Numbers of events that fit a word of the coverage. */
export const MOST_KINDS = 30
