import { UserError } from '@trapframe/core'
import { ScenarioError } from '../error/scenario-error.js'
import type { ExploreSection } from '../scenario/explore-section.js'
import type { PreparedCell } from '../session/prepare.js'
import type { SearchPlan } from './job.js'

type Key = keyof SearchPlan & keyof ExploreSection

/** The parts of a plan that are looked at where the search is made, by the codes of what is wrong with them. */
const KEYS: Readonly<Record<string, Key>> = {
  'unknown-invariant': 'invariants',
  'unknown-reduction': 'reductions',
  'reduction-promise': 'reductions',
}

/** Does what depends on one part of a plan. @throws ScenarioError for what is wrong with it, where the scenario says it */
export function inSection<T>(prepared: PreparedCell, plan: SearchPlan, key: Key, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw atKey(prepared, plan, key, error)
  }
}

/** What a search has thrown: at its place, where a part of the plan that the scenario says is to blame. */
export function atSection(prepared: PreparedCell, plan: SearchPlan, error: unknown): unknown {
  const key = error instanceof UserError ? KEYS[error.code] : undefined
  return key === undefined ? error : atKey(prepared, plan, key, error)
}

function atKey(prepared: PreparedCell, plan: SearchPlan, key: Key, error: unknown): unknown {
  // The command line has nothing to say about regions, of which a plan has a copy.
  const isScenarios = key === 'regions' || plan[key] === prepared.cell.explore[key]
  if (!isScenarios || !(error instanceof UserError)) return error
  return sectionError(prepared, key, error.message, error.hint, error)
}

/** A mistake in the section `explore` of a cell's scenario. */
export function sectionError(
  { scenario, cell }: PreparedCell,
  key: keyof ExploreSection,
  message: string,
  hint?: string,
  cause?: unknown,
): ScenarioError {
  const whose = cell.name === '' ? '' : ` (in cell ${cell.name})`
  return new ScenarioError(`${message}${whose}`, scenario.places.value(['explore', key]), hint, cause)
}
