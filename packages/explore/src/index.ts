/** Invariants over a trapframe machine, the ghost state that they read, and the search for ways to break them. */

export {
  type Clobber,
  type FrameEvent,
  framesForgotten,
  type LiveFrame,
  liveFrames,
} from './ghost/frame.js'
export { CONTAINMENTS, type Containment } from './ghost/frozen.js'
export type { ReturnedFrame, StepNotes, Written } from './ghost/notes.js'
export { checkInvariants } from './invariant/check.js'
export { INVARIANTS, type Invariant, type InvariantContext, type Violation } from './invariant/invariant.js'
export { explore } from './plugin.js'
export { REDUCTIONS, type Reduction } from './reduction/reduction.js'
export { loadCheckpoint, type SearchCheckpoint, saveCheckpoint } from './search/checkpoint.js'
export {
  DEBUG_EVENT,
  EXPLORE_EVENTS,
  type ExploreEvent,
  interruptEvent,
  MACHINE_CHECK_ANYWHERE_EVENT,
  MACHINE_CHECK_EVENT,
  NMI_EVENT,
  pageFaultEvent,
} from './search/event.js'
export { interruptedContexts } from './search/interrupted-context.js'
export type { Alone, SearchOptions, Strategy } from './search/options.js'
export type {
  BoundaryCoverage,
  FoundViolation,
  ModelLimit,
  PathEntry,
  SearchProgress,
  SearchResult,
  StopReason,
  TerminalKind,
} from './search/result.js'
export { search, searchAsync } from './search/search.js'
export { type GraphEdge, type GraphState, type StateGraph, stateGraph } from './search/state-graph.js'
export { nearestLabel } from './search/symbol.js'
export { canExploreInParallel, exploreParallel, type ParallelOptions } from './workers/explore-parallel.js'
export { explorePortions, type PortionOptions } from './workers/explore-portions.js'
export { type ExpandedPortion, type Portion, PortionExpander } from './workers/portion.js'
export type { PreparedSearch, SearchJob, SearchSetup } from './workers/protocol.js'
