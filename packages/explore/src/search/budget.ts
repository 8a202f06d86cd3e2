import type { SearchOptions } from './options.js'
import type { SearchProgress, StopReason } from './result.js'

const MOST_VIOLATIONS = 16

/** Milliseconds between two calls of `onProgress`, unless given. */
export const PROGRESS_EVERY = 500

/** Why a search that stands here must stop, or null. `seconds` are those of this run, without what was resumed. */
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
