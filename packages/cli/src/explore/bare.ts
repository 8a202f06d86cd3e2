import type { Scenario } from '../scenario/scenario.js'

/** A scenario as searches take it: they inject by themselves, and judge by invariants. */
export function bareScenario(scenario: Scenario): Scenario {
  return { ...scenario, cells: scenario.cells.map((cell) => ({ ...cell, inject: [], expect: [] })) }
}
