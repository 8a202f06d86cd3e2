import type { Exploration } from './exploration.js'
import { Shard, type ShardState } from './shard.js'

/** Where a search breadth first stands between two levels. */
export interface Level {
  readonly events: number
  readonly steps: number
}

/**
 * Breadth first, in the order of injected events, then of steps: the first way to a state is one with the fewest events
 * and, among these, the fewest steps, and so is the first counterexample of a kind.
 *
 * All states with e events come before those with e + 1. A state therefore waits twice: for the choices that inject
 * nothing, and, when the next number of events has its turn, for those that inject one. A state met with fewer events had
 * more of them left, so that meeting it again leads nowhere new. A straight line runs ahead of its turn; where its end is
 * then met on a shorter way, that way counts and the longer one is dropped before it is expanded, so that every state is
 * expanded once, at its lowest rank.
 */
export class BreadthFirst {
  readonly shard: Shard
  readonly #exploration: Exploration
  /** The level that comes next; null in the middle of one. */
  level: Level | null

  constructor(exploration: Exploration, from?: { readonly level: Level; readonly shards: readonly ShardState[] }) {
    this.#exploration = exploration
    this.shard = new Shard(exploration)
    if (from === undefined) this.shard.begin()
    else this.shard.load(from.shards, true)
    this.level = from?.level ?? { events: 0, steps: 0 }
  }

  /** Goes through all levels. Yields now and then, and always when a level is done, so that the caller can stop it. */
  *run(): Generator<undefined, void> {
    const { shard } = this
    let { events, steps } = this.level!
    for (; events <= this.#exploration.maxEvents; events++, steps = 0) {
      for (steps = shard.next(steps); steps >= 0; steps = shard.next(steps + 1)) {
        this.level = null
        yield* shard.expand(events, steps)
        this.level = { events, steps: steps + 1 }
        yield
      }
      if (shard.keep.count === 0) return
      shard.endLayer()
    }
  }
}
