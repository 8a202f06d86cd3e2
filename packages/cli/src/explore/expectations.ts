import { INVARIANTS, REDUCTIONS } from '@trapframe/explore'
import { suggestion } from '../command/suggest.js'
import type { ExploreExpectation } from '../scenario/explore-section.js'
import type { PreparedCell } from '../session/prepare.js'
import { sectionError } from './in-section.js'
import type { SearchOutcome } from './job.js'

/** What `keeps` calls all invariants. */
const ALL = 'all'

/** @throws ScenarioError for an invariant that nobody knows: that it is kept would always be true */
export function requireKnownInvariants(prepared: PreparedCell): void {
  const { machine, cell } = prepared
  const assumed = machine.contributions(REDUCTIONS).flatMap(({ value }) => value.assumes ?? [])
  const known = [...machine.contributions(INVARIANTS), ...assumed].map(({ name }) => name)
  for (const { violates = [], keeps = [] } of cell.explore.expect ?? []) {
    const unknown = [...violates, ...keeps.filter((name) => name !== ALL)].find((name) => !known.includes(name))
    if (unknown === undefined) continue
    throw sectionError(prepared, 'expect', `unknown invariant "${unknown}"`, suggestion(unknown, known))
  }
}

/** What a cell's search did not find as its scenario says that it must, in words; empty where it did. */
export function unmetExpectations(
  expect: readonly ExploreExpectation[],
  { counterexamples, complete, stopped, limits }: SearchOutcome,
): string[] {
  const broken = counterexamples.map(({ invariant }) => invariant)
  const unmet: string[] = []
  for (const { violates = [], keeps = [], events, complete: wanted } of expect) {
    for (const name of violates) if (!broken.includes(name)) unmet.push(`${name} should be violated`)
    const kept = keeps.includes(ALL) ? broken : keeps.filter((name) => broken.includes(name))
    for (const name of kept) unmet.push(`${name} should hold`)
    const fewest = counterexamples[0]?.events
    if (events !== undefined && fewest !== events) {
      unmet.push(`the shortest counterexample should have ${events} events, not ${fewest ?? 'none'}`)
    }
    if (wanted !== undefined && wanted !== complete) {
      const why = [...stopped, ...limits.map(({ message }) => message)].join(', ')
      unmet.push(wanted ? `the search should be complete, and stopped: ${why}` : 'the search should not be complete')
    }
  }
  return unmet
}
