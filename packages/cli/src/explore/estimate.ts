/** What a search says of itself while it runs. */
export interface Sample {
  readonly states: number
  readonly passed: number
  readonly events: number
  readonly seconds: number
}

/**
 * Guesses how long a search will still take. With each further event the number of states grows, in small programs about
 * as much as with the one before it: from the layers that are done it guesses those that are not. Before two layers are
 * done it guesses nothing.
 */
export class Estimate {
  readonly #depth: number
  /** States judged when each number of events had its turn first. */
  readonly #begun: number[] = []

  constructor(depth: number) {
    this.#depth = depth
  }

  note({ states, passed, events }: Sample): void {
    while (this.#begun.length <= events) this.#begun.push(states + passed)
  }

  /** Seconds that are left, about; null where nothing can be said. */
  left({ states, passed, seconds, events }: Sample): number | null {
    const layers = this.#begun.slice(1).map((at, n) => at - this.#begun[n]!)
    const [before, last] = layers.slice(-2)
    if (before === undefined || last === undefined || before <= 0 || seconds <= 0) return null
    const growth = Math.max(1, last / before)
    let total = this.#begun.at(-1)!
    let layer = last
    for (let n = events; n <= this.#depth; n++) {
      layer *= growth
      total += layer
    }
    const judged = states + passed
    return Math.max(0, total - judged) / (judged / seconds)
  }
}
