/** How a state can be one that leads nowhere. */
export type TerminalKind = 'shutdown' | 'halted' | 'end'

/** Consecutive steps of one CPU, the first of which may take an injected event. */
export interface PathEntry {
  /** Number of its first step, from 1. */
  readonly step: number
  readonly cpu: number
  /** The event that was injected before the first step; null for none. */
  readonly event: string | null
  /** What happened outside of the CPUs instead of a step, as core's `choices` names it; null for steps. */
  readonly happening: string | null
  /** How many steps. */
  readonly steps: number
  /** Where the first one began. */
  readonly rip: bigint
  readonly label: string
}

/** An invariant that was broken, and the shortest way there that the search knows. */
export interface FoundViolation {
  readonly invariant: string
  readonly message: string
  /** Number of the CPU that the invariant names. */
  readonly cpu: number
  /** Where the step that broke it began. */
  readonly rip: bigint
  readonly label: string
  /** Injected events and steps that lead there, the breaking one included. */
  readonly events: number
  readonly steps: number
  readonly path: readonly PathEntry[]
}

/** A step that the model cannot make: the path ends there and the search is not complete. */
export interface ModelLimit {
  readonly message: string
  readonly rip: bigint
  readonly label: string
  readonly path: readonly PathEntry[]
}

/** What a search tried at one instruction boundary. */
export interface BoundaryCoverage {
  readonly rip: bigint
  readonly label: string
  /** A step began there without an event. */
  readonly stepped: boolean
  /** Events that happened there, by name. */
  readonly events: readonly string[]
}

/** Why a search is not complete. */
export type StopReason = 'states' | 'steps' | 'time' | 'violations' | 'aborted' | 'model'

/** What a search found, how much it has seen, and why it ended. */
export interface SearchResult {
  /** Distinct states in the visited set. */
  readonly states: number
  /** States that were judged in straight lines and not remembered; the same one may count more than once. */
  readonly passed: number
  /** Steps made and judged, each from one state to the next. */
  readonly transitions: number
  /** Most steps from the start, and most injected events on a path. */
  readonly depth: number
  readonly events: number
  /** Everything within the budget of events was seen. */
  readonly complete: boolean
  /** What cut it short; empty where it is complete. */
  readonly stopped: readonly StopReason[]
  readonly seconds: number
  /** States judged a second: `states` and `passed`. */
  readonly statesPerSecond: number
  /** Of the transitions that ended in a hashed state, which part led to a known one. */
  readonly dedupeRate: number
  readonly memory: {
    /** The visited set, with how each state was reached. */
    readonly visitedBytes: number
    /** The most that states which wait to be expanded took at a time. */
    readonly waitingBytes: number
    /** Both for one state. */
    readonly bytesPerState: number
  }
  /** By injected events, then steps, then name. */
  readonly violations: readonly FoundViolation[]
  readonly limits: readonly ModelLimit[]
  /** Distinct states from which no CPU can step, by kind. */
  readonly terminals: Readonly<Record<TerminalKind, number>>
  readonly coverage: readonly BoundaryCoverage[]
}

/** What is known while a search runs. */
export interface SearchProgress {
  readonly states: number
  readonly passed: number
  readonly transitions: number
  /** Injected events and steps of what is being expanded. */
  readonly events: number
  readonly steps: number
  /** States that wait to be expanded. */
  readonly waiting: number
  readonly violations: number
  readonly seconds: number
}
