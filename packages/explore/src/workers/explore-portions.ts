import { PROGRESS_EVERY, stopReason } from '../search/budget.js'
import { makeCheckpoint, requireSameSearch, type SearchCheckpoint, searchKey } from '../search/checkpoint.js'
import { Exploration, rankOf } from '../search/exploration.js'
import { resultOf } from '../search/make-result.js'
import type { SearchOptions } from '../search/options.js'
import type { SearchResult } from '../search/result.js'
import { Shard } from '../search/shard.js'
import { nearestLabel } from '../search/symbol.js'
import { RECORD_HEADER, type WaitingStates } from '../search/waiting-states.js'
import type { ExpandedPortion, Portion } from './portion.js'
import type { PreparedSearch } from './protocol.js'
import { requireBreadthFirst } from './require-breadth-first.js'

const PORTION_STATES = 256
const MOST_AT_ONCE = 64

/** What a search in portions needs to know besides the search. */
export interface PortionOptions
  extends Pick<SearchOptions, 'checkpoint' | 'resume' | 'signal' | 'onProgress' | 'progressEvery'> {
  /** States in a portion, at most; default 256. */
  readonly portionStates?: number
  /** Portions that are asked for at once, at most; default 64. */
  readonly mostAtOnce?: number
}

/**
 * The same as `search`, breadth first, but expanded by others: each level is cut into portions, and `expand` has somebody
 * expand one. The visited set is kept here, so that whoever expands needs nothing but the portion; one that is lost is
 * asked for again, and changes nothing. Budgets are looked at between levels.
 *
 * @throws MachineError for a strategy that is not breadth first, a checkpoint of another search; and what `expand` throws
 */
export async function explorePortions(
  prepared: PreparedSearch,
  expand: (portion: Portion) => Promise<ExpandedPortion>,
  options: PortionOptions = {},
): Promise<SearchResult> {
  const run = new PortionRun(prepared, expand, options)
  await run.levels()
  return run.finish()
}

class PortionRun {
  readonly #prepared: PreparedSearch
  readonly #expand: (portion: Portion) => Promise<ExpandedPortion>
  readonly #options: PortionOptions
  readonly #exploration: Exploration
  readonly #shard: Shard
  readonly #key: string
  readonly #began = performance.now()
  #savedAt = this.#began
  #reportedAt = this.#began

  constructor(
    prepared: PreparedSearch,
    expand: (portion: Portion) => Promise<ExpandedPortion>,
    options: PortionOptions,
  ) {
    const { machine, boot, options: limits } = prepared
    requireBreadthFirst(limits)
    this.#prepared = prepared
    this.#expand = expand
    this.#options = options
    this.#exploration = new Exploration(machine, boot, limits)
    this.#key = searchKey(machine, limits)
    if (options.resume !== undefined) requireSameSearch(options.resume, this.#key)
    machine.interchangeInHash(limits.interchangeable ?? [])
    this.#shard = new Shard(this.#exploration)
    if (options.resume === undefined) this.#shard.begin()
    else this.#shard.load(options.resume.shards, true)
  }

  async levels(): Promise<void> {
    const shard = this.#shard
    let { events, steps } = this.#options.resume?.level ?? { events: 0, steps: 0 }
    for (; events <= this.#exploration.maxEvents; events++, steps = 0) {
      for (steps = shard.next(steps); steps >= 0; steps = shard.next(steps + 1)) {
        await this.#level(events, steps)
        if (this.#between(events, steps + 1)) return
      }
      if (shard.keep.count === 0) return
      shard.endLayer()
    }
  }

  finish(): SearchResult {
    const exploration = this.#exploration
    const { machine, boot, options } = this.#prepared
    const result = resultOf(exploration, {
      states: exploration.states,
      visitedBytes: exploration.statesSeen.bytes,
      seconds: this.#seconds,
      nameOf: options.nameOf ?? nearestLabel(boot.labels),
      wayOf: (origin) => exploration.wayOf(origin),
    })
    machine.interchangeInHash([])
    machine.restore(exploration.start)
    return result
  }

  /** Has all that waits at a level expanded. What arrives lies in later levels, so that it can be taken in at once. */
  async #level(events: number, steps: number): Promise<void> {
    this.#exploration.rank = rankOf(events, steps)
    const portions = this.#portions(events, steps)
    const one = async (): Promise<void> => {
      for (const portion of portions) this.#take(await this.#expand(portion), events)
    }
    await Promise.all(Array.from({ length: this.#options.mostAtOnce ?? MOST_AT_ONCE }, one))
  }

  *#portions(events: number, steps: number): Generator<Portion, void> {
    const shard = this.#shard
    const tables = shard.tables()
    const none = new Int32Array(0)
    const common = { search: this.#key, events, steps, tables, waiting: none, kept: none }
    for (const kept of this.#records(shard.kept, events - 1, steps)) yield { ...common, kept }
    for (const waiting of this.#records(shard.waiting, events, steps)) yield { ...common, waiting }
  }

  /** What waits at a rank, in parts; without what was met on a shorter way since. */
  *#records(from: WaitingStates, events: number, steps: number): Generator<Int32Array<ArrayBuffer>, void> {
    const bucket = from.take(steps)
    if (bucket === null) return
    const { table } = this.#exploration
    const { portionStates = PORTION_STATES } = this.#options
    const rank = rankOf(events, steps)
    const { data, used } = bucket
    let part: number[] = []
    let count = 0
    for (let at = 0; at < used; ) {
      const end = at + RECORD_HEADER + data[at]!
      if (table.rankOf(data[at + 1]!, data[at + 2]!) === rank) {
        for (let n = at; n < end; n++) part.push(data[n]!)
        count++
      }
      at = end
      if (count < portionStates) continue
      yield Int32Array.from(part)
      part = []
      count = 0
    }
    if (count > 0) yield Int32Array.from(part)
  }

  #take({ met, keep, tables, tally }: ExpandedPortion, events: number): void {
    const shard = this.#shard
    if (met !== null) shard.receive(met, events)
    shard.load([{ entries: new Int32Array(0), waiting: [], kept: [], keep, tables, tally }], true)
  }

  /** What is to be done between two levels. Whether the search ends here. */
  #between(events: number, steps: number): boolean {
    const exploration = this.#exploration
    const { waiting, kept, keep } = this.#shard
    exploration.waiting = waiting.count + kept.count + keep.count
    exploration.waitingBytes = Math.max(exploration.waitingBytes, 4 * (waiting.words + kept.words + keep.words))
    const now = performance.now()
    this.#report(now)
    const stop = this.#mustStop(now)
    const { checkpoint } = this.#options
    if (checkpoint !== undefined && (stop || now - this.#savedAt >= checkpoint.everySeconds * 1000)) {
      const saved: SearchCheckpoint = makeCheckpoint(this.#key, { events, steps }, [this.#shard.save()], this.#seconds)
      checkpoint.save(saved)
      this.#savedAt = performance.now()
    }
    return stop
  }

  #mustStop(now: number): boolean {
    const { states, findings } = this.#exploration
    const at = { states, seconds: (now - this.#began) / 1000, violations: findings.count }
    const reason = stopReason(this.#prepared.options, at, this.#options.signal)
    if (reason !== null) findings.stopped.add(reason)
    return reason !== null
  }

  #report(now: number): void {
    const { onProgress, progressEvery = PROGRESS_EVERY } = this.#options
    if (onProgress === undefined || now - this.#reportedAt < progressEvery) return
    this.#reportedAt = now
    const { states, passed, transitions, rank, waiting, findings } = this.#exploration
    const [events, steps] = [rank >> 24, rank & 0xff_ffff]
    const { count: violations } = findings
    onProgress({ states, passed, transitions, events, steps, waiting, violations, seconds: this.#seconds })
  }

  get #seconds(): number {
    return (this.#options.resume?.seconds ?? 0) + (performance.now() - this.#began) / 1000
  }
}
