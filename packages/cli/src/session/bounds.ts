import { ScenarioError } from '../error/scenario-error.js'
import { LIMITS } from '../scenario/limits.js'
import type { Scenario } from '../scenario/scenario.js'

/** Steps between two looks at the clock. */
const STEPS = 256

/**
 * What the cells of one scenario may take together of time, and each run of memory. A scenario that takes more is told
 * so; it cannot keep the machine busy that it runs on.
 */
export class Bounds {
  readonly #scenario: Scenario
  readonly #seconds: number
  readonly #end: number

  /** @param seconds for all cells together, from now on */
  constructor(scenario: Scenario, seconds: number = LIMITS.seconds) {
    this.#scenario = scenario
    this.#seconds = seconds
    this.#end = performance.now() + seconds * 1000
  }

  /** @throws ScenarioError when the time is over */
  checkTime(cell: string): void {
    if (performance.now() <= this.#end) return
    throw this.#told(
      `the scenario takes more than ${this.#seconds} s`,
      cell,
      'fewer cells or steps, or --timeout SECONDS',
    )
  }

  /** @param recorded entries of all that the run keeps. @throws ScenarioError when there are too many, or the time is over */
  checkStep(step: number, recorded: number, cell: string): void {
    if (recorded > LIMITS.recorded) {
      const message = `the run has more than ${LIMITS.recorded} events to keep after ${step} steps`
      throw this.#told(message, cell, 'fewer steps: "limits"')
    }
    if (step % STEPS === 0) this.checkTime(cell)
  }

  #told(message: string, cell: string, hint: string): ScenarioError {
    const { places } = this.#scenario
    const place = places.node(['limits']) === undefined ? places.key(['name']) : places.key(['limits'])
    return new ScenarioError(`${message}${cell === '' ? '' : ` (in cell ${cell})`}`, place, hint)
  }
}
