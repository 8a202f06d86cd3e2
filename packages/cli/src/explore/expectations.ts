import type { ExploreExpectation } from '../scenario/explore-section.js'
import type { SearchOutcome } from './job.js'

/** What a cell's search did not find as its scenario says that it must, in words; empty where it did. */
export function unmetExpectations(
  expect: readonly ExploreExpectation[],
  { counterexamples, complete, stopped, limits }: SearchOutcome,
): string[] {
  const broken = counterexamples.map(({ invariant }) => invariant)
  const unmet: string[] = []
  for (const { violates = [], keeps = [], events, complete: wanted } of expect) {
    for (const name of violates) if (!broken.includes(name)) unmet.push(`${name} should be violated`)
    const kept = keeps.includes('all') ? broken : keeps.filter((name) => broken.includes(name))
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
