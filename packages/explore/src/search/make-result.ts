import { type Exploration, eventsOf, stepsOf } from './exploration.js'
import type { Origin, Way } from './findings.js'
import { pathOf } from './path.js'
import type { SearchResult } from './result.js'

/** What a result needs besides what the search counted. */
export interface ResultSource {
  readonly states: number
  readonly visitedBytes: number
  readonly seconds: number
  readonly nameOf: (address: bigint) => string
  readonly wayOf: (origin: Origin) => Way
}

/** The result of a search that is over. Walks the ways to what was found once more, and leaves the machine there. */
export function resultOf(exploration: Exploration, source: ResultSource): SearchResult {
  const { findings, passed, arrivals, duplicates, waitingBytes } = exploration
  const { states, visitedBytes, seconds, nameOf, wayOf } = source
  const violations = findings.violations
    .toSorted(
      (a, b) =>
        a.rank - b.rank ||
        compare(a.violation.invariant, b.violation.invariant) ||
        compare(a.rip, b.rip) ||
        compare(a.origin.made, b.origin.made) ||
        a.violation.cpu - b.violation.cpu,
    )
    .map(({ violation: { invariant, message, cpu }, rip, rank, origin }) => ({
      invariant,
      message,
      cpu,
      rip,
      label: nameOf(rip),
      events: eventsOf(rank),
      steps: stepsOf(rank),
      path: pathOf(exploration, wayOf(origin), nameOf),
    }))
  const limits = [...findings.limits.values()]
    .toSorted((a, b) => a.rank - b.rank || compare(a.rip, b.rip) || compare(a.message, b.message))
    .map(({ message, rip, origin }) => ({
      message,
      rip,
      label: nameOf(rip),
      path: pathOf(exploration, wayOf(origin), nameOf),
    }))
  return {
    states,
    passed,
    transitions: exploration.transitions,
    depth: exploration.depth,
    events: exploration.mostEvents,
    complete: findings.stopped.size === 0,
    stopped: [...findings.stopped],
    seconds,
    statesPerSecond: (states + passed) / seconds,
    dedupeRate: arrivals === 0 ? 0 : duplicates / arrivals,
    memory: { visitedBytes, waitingBytes, bytesPerState: (visitedBytes + waitingBytes) / states },
    violations,
    limits,
    terminals: findings.terminals,
    coverage: exploration.coverage.list(
      exploration.events.map(({ name }) => name),
      nameOf,
    ),
  }
}

const compare = <T extends string | bigint | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0)
