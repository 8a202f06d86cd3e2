import { MachineError } from '@trapframe/core'
import type { SearchOptions } from '../search/options.js'
import type { SearchProgress, StopReason } from '../search/result.js'

/** Searches that go level by level: what is looked at between two of them. */

const MOST_VIOLATIONS = 16

/** Milliseconds between two calls of `onProgress`, unless given. */
export const PROGRESS_EVERY = 500

/** @throws MachineError for a strategy that has no levels */
export function requireBreadthFirst({ strategy = 'breadth-first' }: SearchOptions): void {
  if (strategy === 'breadth-first') return
  throw new MachineError('search-range', `a search ${strategy} has one thread`, { hint: 'search breadth first' })
}

/** Why a search that stands here must stop, or null. `seconds` are those of this run. */
export function stopReason(
  { maxStates, maxSeconds, maxViolations = MOST_VIOLATIONS }: SearchOptions,
  { states, seconds, violations }: Pick<SearchProgress, 'states' | 'seconds' | 'violations'>,
  signal: SearchOptions['signal'],
): StopReason | null {
  if (maxStates !== undefined && states >= maxStates) return 'states'
  if (maxSeconds !== undefined && seconds >= maxSeconds) return 'time'
  if (violations >= maxViolations) return 'violations'
  return signal?.aborted === true ? 'aborted' : null
}
