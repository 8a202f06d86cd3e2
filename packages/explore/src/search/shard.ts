import { type Machine, type PortableSnapshot, packSnapshot, type Snapshot, unpackSnapshot } from '@trapframe/core'
import { Expander } from './expander.js'
import { type Exploration, rankOf, type Tally } from './exploration.js'
import { BEGINNING, ENTRY_WORDS } from './state-table.js'
import { Bucket, type Buckets, RECORD_HEADER, WaitingStates } from './waiting-states.js'

export type PortableTables = PortableSnapshot['tables']

/** Everything that a shard holds between two levels, as data. */
export interface ShardState {
  /** States with how they were reached: see `StateTable.entries`. */
  readonly entries: Int32Array
  readonly waiting: Buckets
  readonly kept: Buckets
  readonly keep: Buckets
  /** Page tables that packed states name by number, from 1 on. */
  readonly tables: readonly PortableTables[]
  readonly tally: Tally
}

/** States on their way from the shard that met them to the one that owns them: eight words before each packed state. */
export interface Batch {
  readonly records: Int32Array
  readonly tables: readonly PortableTables[]
}

/** Hash, steps, hash of the parent, what was made, what there is to do, and the count of words that follow. */
const SENT_HEADER = 8
const PLAIN = 1
const INJECTABLE = 2
/** One in so many hashes has the same place among those that were sent lately. */
const SENT_SLOTS = 1 << 14

/**
 * The states of a search that one thread owns: those whose hash, modulo the number of shards, is its number. It expands
 * them level by level, where a level is a number of injected events and a number of steps; what it meets that another shard
 * owns it sends there. A search in one thread is one shard.
 *
 * Nothing depends on the order in which the states of a level are expanded or arrive: which states there are, at which rank,
 * by which way, and what is counted, are the same for any number of shards.
 */
export class Shard {
  readonly expander: Expander
  readonly #exploration: Exploration
  readonly #index: number
  readonly #shards: number
  readonly #outgoing: (Bucket | null)[]
  readonly #sentLo = new Int32Array(SENT_SLOTS)
  readonly #sentHi = new Int32Array(SENT_SLOTS)
  readonly #sentRank = new Int32Array(SENT_SLOTS).fill(-1)
  /** Waiting for the choices that inject nothing. */
  waiting = new WaitingStates()
  /** Of the last number of events, waiting for the choices that inject one; and of this number. */
  kept = new WaitingStates()
  keep = new WaitingStates()

  constructor(exploration: Exploration, index = 0, shards = 1) {
    this.#exploration = exploration
    this.#index = index
    this.#shards = shards
    this.#outgoing = Array.from({ length: shards }, () => null)
    this.expander = new Expander(exploration, (arrival) => {
      const { lo, hi, steps, plain, injectable } = arrival
      const owner = shards === 1 ? 0 : ownerOf(hi, shards)
      if (owner === index) {
        if (this.#meet(lo, hi, rankOf(arrival.events, steps), arrival, plain, injectable)) this.#put(steps, lo, hi)
        return
      }
      this.#send(owner, rankOf(arrival.events, steps), arrival)
    })
  }

  /** The state that the machine is in is where the search begins. */
  begin(): void {
    const exploration = this.#exploration
    const lo = exploration.hash()
    const { hashHi: hi } = exploration.machine
    if (this.#shards > 1 && ownerOf(hi, this.#shards) !== this.#index) return
    exploration.meet(lo, hi, 0, { made: BEGINNING, parentLo: 0, parentHi: 0 })
    if (exploration.choices.plain() === 0) exploration.noteTerminal()
    this.#put(0, lo, hi)
  }

  /** The fewest steps, from `from` on, for which there is something to do with this number of events; -1 for none. */
  next(from: number): number {
    const waiting = this.waiting.next(from)
    const kept = this.kept.next(from)
    return waiting < 0 || (kept >= 0 && kept < waiting) ? kept : waiting
  }

  /** Expands what waits at a level. Yields after each state. */
  *expand(events: number, steps: number): Generator<undefined, void> {
    const exploration = this.#exploration
    exploration.rank = rankOf(events, steps)
    yield* this.#each(this.kept, events - 1, steps, () => this.expander.expandEvents(events - 1, steps))
    yield* this.#each(this.waiting, events, steps, (data, at) => {
      if (!this.expander.expandSteps(events, steps)) return
      this.keep.add(steps, data[at + 1]!, data[at + 2]!, data, at + RECORD_HEADER, data[at]!)
    })
    exploration.waiting = this.waiting.count + this.kept.count + this.keep.count
    const words = this.waiting.words + this.kept.words + this.keep.words
    exploration.waitingBytes = Math.max(exploration.waitingBytes, 4 * words)
  }

  /** Goes on to the next number of events. */
  endLayer(): void {
    this.kept = this.keep
    this.keep = new WaitingStates()
    this.waiting = new WaitingStates()
  }

  /** What was met for other shards since the last call. */
  takeOutgoing(): (Batch | null)[] {
    const tables = this.tables()
    return this.#outgoing.map((bucket, owner) => {
      this.#outgoing[owner] = null
      return bucket === null ? null : { records: bucket.data.slice(0, bucket.used), tables }
    })
  }

  /** Takes in what another shard met. */
  receive({ records, tables }: Batch, events: number): void {
    const numbers = this.#tablesHere(tables)
    for (let at = 0; at < records.length; ) {
      const [lo, hi, steps] = [records[at]!, records[at + 1]!, records[at + 2]!]
      const origin = { parentLo: records[at + 3]!, parentHi: records[at + 4]!, made: records[at + 5]! }
      const what = records[at + 6]!
      const count = records[at + 7]!
      const first = at + SENT_HEADER
      at = first + count
      const injectable = (what & INJECTABLE) !== 0
      if (!this.#meet(lo, hi, rankOf(events, steps), origin, (what & PLAIN) !== 0, injectable, what >> 2)) continue
      records[first] = numbers[records[first]!]!
      this.waiting.add(steps, lo, hi, records, first, count)
    }
  }

  /** What the shard holds, between two levels. */
  save(): ShardState {
    return {
      entries: this.#exploration.table.entries.slice(),
      waiting: this.waiting.save(),
      kept: this.kept.save(),
      keep: this.keep.save(),
      tables: this.tables(),
      tally: this.#exploration.tally(),
    }
  }

  /** The page tables that packed states name by number, from 1 on, as data. */
  tables(): readonly PortableTables[] {
    return this.expander.packer.tables.slice(1).map((one) => portableTables(this.#exploration.machine, one))
  }

  /** Takes over, of what shards held, what this one owns; and with `counting` what they counted. */
  load(states: readonly ShardState[], counting: boolean): void {
    for (const { entries, tables, tally, ...buckets } of states) {
      const numbers = this.#tablesHere(tables)
      this.#exploration.table.addAll(this.#shards === 1 ? entries : this.#ownEntries(entries))
      for (const kind of ['waiting', 'kept', 'keep'] as const) {
        for (const [steps, data] of buckets[kind]) this.#loadBucket(this[kind], steps, data, numbers)
      }
      if (counting) this.#exploration.addTally(tally)
    }
  }

  #loadBucket(into: WaitingStates, steps: number, data: Int32Array, numbers: readonly number[]): void {
    for (let at = 0; at < data.length; at += RECORD_HEADER + data[at]!) {
      const hi = data[at + 2]!
      if (this.#shards > 1 && ownerOf(hi, this.#shards) !== this.#index) continue
      const state = data.slice(at + RECORD_HEADER, at + RECORD_HEADER + data[at]!)
      state[0] = numbers[state[0]!]!
      into.add(steps, data[at + 1]!, hi, state, 0, state.length)
    }
  }

  #ownEntries(entries: Int32Array): Int32Array {
    const own: number[] = []
    for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
      if (ownerOf(entries[at + 1]!, this.#shards) !== this.#index) continue
      for (let n = 0; n < ENTRY_WORDS; n++) own.push(entries[at + n]!)
    }
    return Int32Array.from(own)
  }

  /** For the numbers that a sender gave to page tables the numbers that they have here. */
  #tablesHere(tables: readonly PortableTables[]): readonly number[] {
    const { packer } = this.expander
    return [0, ...tables.map((one) => packer.numberOf(tablesFrom(this.#exploration.machine, one)))]
  }

  *#each(
    from: WaitingStates,
    events: number,
    steps: number,
    expand: (data: Int32Array, at: number) => void,
  ): Generator<undefined, void> {
    const bucket = from.take(steps)
    if (bucket === null) return
    const { table } = this.#exploration
    const rank = rankOf(events, steps)
    const { data } = bucket
    for (let at = 0; at < bucket.used; at += RECORD_HEADER + data[at]!) {
      // One that was met on a shorter way since is expanded there.
      if (table.rankOf(data[at + 1]!, data[at + 2]!) !== rank) continue
      this.expander.load(bucket, at)
      expand(data, at)
      yield
    }
    from.release(bucket)
  }

  /** Remembers a state of this shard. Whether it waits now. */
  #meet(
    lo: number,
    hi: number,
    rank: number,
    origin: { readonly made: number; readonly parentLo: number; readonly parentHi: number },
    plain: boolean,
    injectable: boolean,
    kind = -1,
  ): boolean {
    const exploration = this.#exploration
    const visit = exploration.meet(lo, hi, rank, origin)
    if (visit === 'known') return false
    if (!plain && visit === 'new') exploration.noteTerminal(kind)
    return plain || injectable
  }

  #put(steps: number, lo: number, hi: number): void {
    const { packer } = this.expander
    const count = packer.pack()
    this.waiting.add(steps, lo, hi, packer.words, 0, count)
  }

  #send(owner: number, rank: number, arrival: Parameters<ConstructorParameters<typeof Expander>[1]>[0]): void {
    const { lo, hi, steps, parentLo, parentHi, made, plain, injectable } = arrival
    // What was sent lately for a rank no higher the owner knows, but for the way, of which the smallest counts.
    const slot = (lo ^ (hi >>> 9)) & (SENT_SLOTS - 1)
    const known = this.#sentLo[slot] === lo && this.#sentHi[slot] === hi ? this.#sentRank[slot]! : -1
    if (known >= 0 && known < rank) {
      this.#exploration.arrivals++
      this.#exploration.duplicates++
      return
    }
    this.#sentLo[slot] = lo
    this.#sentHi[slot] = hi
    this.#sentRank[slot] = rank
    const { packer } = this.expander
    const what =
      (plain ? PLAIN : 0) | (injectable ? INJECTABLE : 0) | (plain ? 0 : this.#exploration.terminalNumber() << 2)
    const count = known === rank ? 0 : packer.pack()
    const bucket = this.#outgoing[owner] ?? new Bucket()
    this.#outgoing[owner] = bucket
    bucket.append([lo, hi, steps, parentLo, parentHi, made, what, count], packer.words, count)
  }
}

/** Which shard owns the states of a hash. */
export const ownerOf = (hi: number, shards: number): number => (hi >>> 0) % shards

const EMPTY = { state: new Int32Array(0), frames: [] }

/** Page tables as data. */
function portableTables(machine: Machine, tables: Snapshot['tables']): PortableTables {
  return packSnapshot(machine, { ...EMPTY, layout: machine.layout.hash, tables }).tables
}

function tablesFrom(machine: Machine, tables: PortableTables): Snapshot['tables'] {
  const portable = { state: EMPTY.state, pageNumbers: new Float64Array(0), bytes: new Uint8Array(0), tables }
  return unpackSnapshot(machine, { ...portable, layout: machine.layout.hash }).tables
}
