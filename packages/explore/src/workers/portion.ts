import { MachineError, type Snapshot } from '@trapframe/core'
import { searchKey } from '../search/checkpoint.js'
import { Exploration, rankOf, type Tally } from '../search/exploration.js'
import { type Batch, type PortableTables, Shard } from '../search/shard.js'
import { BEGINNING } from '../search/state-table.js'
import { type Buckets, RECORD_HEADER } from '../search/waiting-states.js'
import type { PreparedSearch } from './protocol.js'

/** Milliseconds after which others have their turn: timers, and what says that this worker is alive. */
const TURN = 40

/** Some of the states that wait at a level, with all that is needed to expand them: plain data of typed arrays. */
export interface Portion {
  /** What tells searches apart: a worker that would make another one refuses. */
  readonly search: string
  readonly events: number
  readonly steps: number
  /** Waiting for the choices that inject nothing; and, met with one event less, for those that inject one. */
  readonly waiting: Int32Array
  readonly kept: Int32Array
  readonly tables: readonly PortableTables[]
}

/** What a portion led to. It depends on the portion alone: whoever expands it, and however often, the answer is the same. */
export interface ExpandedPortion {
  /** What was met; null for nothing. */
  readonly met: Batch | null
  /** Which of the states wait for the next number of events. */
  readonly keep: Buckets
  readonly tables: readonly PortableTables[]
  readonly tally: Tally
}

/**
 * Expands portions of a search, without a memory between them: it owns no state, so that all that it meets goes back to who
 * asked. The machine stays with it.
 */
export class PortionExpander {
  readonly #prepared: PreparedSearch
  readonly #start: Snapshot
  readonly #key: string

  constructor(prepared: PreparedSearch) {
    const { machine, boot, options } = prepared
    this.#prepared = prepared
    // Where searches begin: where one that is made has put the machine.
    this.#start = new Exploration(machine, boot, options).start
    this.#key = searchKey(machine, options)
    machine.interchangeInHash(options.interchangeable ?? [])
  }

  /** @throws MachineError for a portion of another search */
  async expand(portion: Portion): Promise<ExpandedPortion> {
    const { events, steps } = portion
    if (portion.search !== this.#key) {
      throw new MachineError('job-differs', 'the job makes another search in a worker than where it was asked for', {
        hint: 'use the same version of trapframe and of its plugins everywhere',
      })
    }
    const { machine, boot, options } = this.#prepared
    machine.restore(this.#start)
    const exploration = new Exploration(machine, boot, options)
    // The number of no shard: all states belong to another one.
    const shard = new Shard(exploration, -1, 1)
    shard.load([stateOf(portion, exploration.tally())], false)
    let until = performance.now() + TURN
    for (const _ of shard.expand(events, steps)) {
      if (performance.now() < until) continue
      await new Promise((resolve) => setImmediate(resolve))
      until = performance.now() + TURN
    }
    const [met] = shard.takeOutgoing()
    const { keep, tables, tally } = shard.save()
    return { met: met ?? null, keep, tables, tally }
  }
}

/** A shard that knows of nothing but the portion. */
function stateOf({ events, steps, waiting, kept, tables }: Portion, nothing: Tally) {
  const entries = [...entriesOf(waiting, rankOf(events, steps)), ...entriesOf(kept, rankOf(events - 1, steps))]
  return {
    entries: Int32Array.from(entries),
    waiting: [[steps, waiting]] as const,
    kept: [[steps, kept]] as const,
    keep: [],
    tables,
    tally: nothing,
  }
}

function entriesOf(records: Int32Array, rank: number): number[] {
  const entries: number[] = []
  for (let at = 0; at < records.length; at += RECORD_HEADER + records[at]!) {
    entries.push(records[at + 1]!, records[at + 2]!, rank, 0, 0, BEGINNING)
  }
  return entries
}
