import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { MachineError } from '@trapframe/core'
import { PROGRESS_EVERY, stopReason } from '../search/budget.js'
import { makeCheckpoint, requireSameSearch, type SearchCheckpoint, searchKey } from '../search/checkpoint.js'
import { Exploration, rankOf, wayOfSteps } from '../search/exploration.js'
import type { Origin, Way } from '../search/findings.js'
import { resultOf } from '../search/make-result.js'
import type { SearchOptions } from '../search/options.js'
import type { SearchResult, StopReason } from '../search/result.js'
import { type Batch, ownerOf } from '../search/shard.js'
import { BEGINNING } from '../search/state-table.js'
import { nearestLabel } from '../search/symbol.js'
import { Connection, WorkerLost } from './connection.js'
import type { PreparedSearch, SearchJob, SearchSetup, Standing } from './protocol.js'
import { requireBreadthFirst } from './require-breadth-first.js'

/** Workers that may be lost without a step forward in between. */
const MOST_LOSSES = 5
/** Seconds of work that are done again, at most, when a worker is lost. */
const KEEP_EVERY = 10

/** What a parallel search needs to know besides its job. */
export interface ParallelOptions {
  /** How many workers; default one for each core. */
  readonly workers?: number
  /** Processes instead of threads: one that is killed takes no other along. */
  readonly processes?: boolean
  /** How often what workers hold is kept, in seconds, in case that one is lost; default 10. */
  readonly keepEverySeconds?: number
  readonly checkpoint?: SearchOptions['checkpoint']
  readonly resume?: SearchCheckpoint
  readonly signal?: SearchOptions['signal']
  readonly onProgress?: SearchOptions['onProgress']
  readonly progressEvery?: number
  /** A worker is ready, or was started again in the place of a lost one: its process, or null for a thread. */
  onWorker?(index: number, pid: number | null): void
  /** A worker was lost: the search goes back to what was kept last. */
  onLoss?(message: string): void
}

/** Whether workers can be started: there is a built package. */
export const canExploreInParallel = (): boolean => existsSync(fileURLToPath(new URL('./worker.js', import.meta.url)))

/**
 * The same as `search`, breadth first, in several threads or processes. Each owns the states whose hash modulo the number of
 * workers is its own; all expand one level at a time and then exchange what they met for each other, so that a complete
 * search counts, finds and reports exactly what it does in one thread. Budgets are looked at between levels.
 *
 * Workers hold what they own for as long as the search lasts, which a pool of interchangeable ones cannot do; what they hold is
 * kept here now and then. When one is lost, all go back to what was kept last, or to the start: work is done again, none is
 * missed, and the result is the same.
 *
 * @throws MachineError for a job that cannot be made, or that is not the same in every worker, or when workers keep dying
 */
export async function exploreParallel(job: SearchJob, options: ParallelOptions = {}): Promise<SearchResult> {
  const { searchSetup } = (await import(job.module)) as { searchSetup: SearchSetup }
  const run = new ParallelRun(job, await searchSetup(job.data), options)
  try {
    return await run.search()
  } finally {
    await run.end()
  }
}

/** Where all shards stand. */
interface Position {
  events: number
  steps: number
}

class ParallelRun {
  readonly #job: SearchJob
  readonly #options: ParallelOptions
  readonly #limits: SearchOptions
  readonly #exploration: Exploration
  readonly #nameOf: (address: bigint) => string
  readonly #key: string
  readonly #count: number
  readonly #began = performance.now()
  readonly #stopped = new Set<StopReason>()
  #connections: readonly Connection[] = []
  #kept: SearchCheckpoint | null
  #keptAt = this.#began
  #savedAt = this.#began
  #reportedAt = this.#began

  constructor(job: SearchJob, { machine, boot, options: limits }: PreparedSearch, options: ParallelOptions) {
    requireBreadthFirst(limits)
    this.#job = job
    this.#options = options
    this.#limits = limits
    this.#count = options.workers ?? availableParallelism()
    this.#exploration = new Exploration(machine, boot, limits)
    this.#nameOf = limits.nameOf ?? nearestLabel(boot.labels)
    this.#key = searchKey(machine, limits)
    this.#kept = options.resume ?? null
    if (this.#kept !== null) requireSameSearch(this.#kept, this.#key)
  }

  async search(): Promise<SearchResult> {
    let losses = 0
    let before = ''
    for (;;) {
      try {
        await this.#start()
        await this.#levels()
        return await this.#finish()
      } catch (error) {
        if (!(error instanceof WorkerLost)) throw error
        this.#options.onLoss?.(error.message)
        const level = JSON.stringify(this.#kept?.level)
        losses = level === before ? losses + 1 : 1
        before = level
        if (losses > MOST_LOSSES)
          throw new MachineError('workers-lost', `${losses} workers were lost: ${error.message}`)
        await this.end()
      }
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.end()))
    this.#connections = []
  }

  async #start(): Promise<void> {
    const { processes = false, onWorker } = this.#options
    this.#stopped.clear()
    this.#connections = Array.from({ length: this.#count }, () => new Connection(processes))
    const resume = this.#kept?.shards ?? null
    const answers = await this.#all((connection, index) =>
      connection.ask({ kind: 'start', job: this.#job, index, shards: this.#count, resume }),
    )
    if (answers.some(({ key }) => key !== this.#key)) {
      throw new MachineError('job-differs', 'the job makes another search in a worker than here', {
        hint: 'its module must make the same machine and options each time',
      })
    }
    this.#connections.forEach(({ pid }, index) => {
      onWorker?.(index, pid)
    })
  }

  async #levels(): Promise<void> {
    const at: Position = { events: 0, steps: 0, ...this.#kept?.level }
    const { maxEvents } = this.#exploration
    let kept = 0
    // The first level of a resumed search is asked for with nothing received.
    let standings = await this.#receive(
      at.events,
      at.steps - 1,
      this.#connections.map(() => []),
    )
    for (;;) {
      at.steps = earliest(standings.map(({ next }) => next))
      while (at.steps >= 0) {
        this.#exploration.rank = rankOf(at.events, at.steps)
        const batches = await this.#expand(at)
        standings = await this.#receive(at.events, at.steps, batches)
        if (await this.#between({ events: at.events, steps: at.steps + 1 }, standings)) return
        at.steps = earliest(standings.map(({ next }) => next))
      }
      kept = sum(standings, 'kept')
      if (kept === 0 || at.events === maxEvents) return
      await this.#all((connection) => connection.ask({ kind: 'layer' }))
      at.events++
      standings = await this.#receive(
        at.events,
        -1,
        this.#connections.map(() => []),
      )
    }
  }

  /** Expands a level; what was met for each shard. */
  async #expand({ events, steps }: Position): Promise<readonly (readonly Batch[])[]> {
    const answers = await this.#all((connection) => connection.ask({ kind: 'level', events, steps }))
    return answers.map((_, owner) => answers.flatMap(({ outgoing }) => outgoing[owner] ?? []))
  }

  #receive(events: number, steps: number, batches: readonly (readonly Batch[])[]): Promise<readonly Standing[]> {
    return this.#all((connection, index) =>
      connection.ask({ kind: 'receive', events, steps, batches: batches[index]! }),
    )
  }

  /** What is to be done between two levels. Whether the search ends here. */
  async #between(level: Position, standings: readonly Standing[]): Promise<boolean> {
    const now = performance.now()
    const { keepEverySeconds = KEEP_EVERY, checkpoint } = this.#options
    this.#report(now, standings)
    const stop = this.#mustStop(now, standings)
    const isDue = checkpoint !== undefined && (stop || now - this.#savedAt >= checkpoint.everySeconds * 1000)
    if (!isDue && now - this.#keptAt < keepEverySeconds * 1000) return stop
    const answers = await this.#all((connection) => connection.ask({ kind: 'save' }))
    this.#kept = makeCheckpoint(
      this.#key,
      level,
      answers.map(({ state }) => state),
      this.#seconds,
    )
    this.#keptAt = performance.now()
    if (isDue) {
      checkpoint.save(this.#kept)
      this.#savedAt = this.#keptAt
    }
    return stop
  }

  #mustStop(now: number, standings: readonly Standing[]): boolean {
    const reason = stopReason(
      this.#limits,
      {
        states: sum(standings, 'states'),
        seconds: (now - this.#began) / 1000,
        // One that two shards found is counted twice here; the result counts it once.
        violations: sum(standings, 'violations'),
      },
      this.#options.signal,
    )
    if (reason !== null) this.#stopped.add(reason)
    return reason !== null
  }

  #report(now: number, standings: readonly Standing[]): void {
    const { onProgress, progressEvery = PROGRESS_EVERY } = this.#options
    if (onProgress === undefined || now - this.#reportedAt < progressEvery) return
    this.#reportedAt = now
    const { rank } = this.#exploration
    onProgress({
      states: sum(standings, 'states'),
      passed: sum(standings, 'passed'),
      transitions: sum(standings, 'transitions'),
      events: rank >> 24,
      steps: rank & 0xff_ffff,
      waiting: sum(standings, 'waiting'),
      violations: sum(standings, 'violations'),
      seconds: this.#seconds,
    })
  }

  async #finish(): Promise<SearchResult> {
    const exploration = this.#exploration
    const answers = await this.#all((connection) => connection.ask({ kind: 'save' }))
    let states = 0
    for (const { state } of answers) {
      states += state.entries.length / 6
      exploration.addTally(state.tally)
      for (const reason of state.tally.stopped) exploration.findings.stopped.add(reason)
    }
    for (const reason of this.#stopped) exploration.findings.stopped.add(reason)
    exploration.waitingBytes = answers.reduce((total, { waitingBytes }) => total + waitingBytes, 0)
    const ways = new Map<Origin, Way>()
    for (const { origin } of [...exploration.findings.violations, ...exploration.findings.limits.values()]) {
      ways.set(origin, await this.#wayOf(origin))
    }
    return resultOf(exploration, {
      states,
      visitedBytes: answers.reduce((total, { bytes }) => total + bytes, 0),
      seconds: this.#seconds,
      nameOf: this.#nameOf,
      wayOf: (origin) => ways.get(origin)!,
    })
  }

  /** Asks the owners of the states on the way, one after the other. */
  async #wayOf({ made, parentLo, parentHi }: Origin): Promise<Way> {
    const back = [made]
    let [lo, hi] = [parentLo, parentHi]
    for (;;) {
      const { way } = await this.#connections[ownerOf(hi, this.#count)]!.ask({ kind: 'way', lo, hi })
      if (way!.made === BEGINNING) return wayOfSteps(back.reverse())
      back.push(way!.made)
      lo = way!.lo
      hi = way!.hi
    }
  }

  #all<T>(ask: (connection: Connection, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#connections.map(ask))
  }

  get #seconds(): number {
    return (this.#options.resume?.seconds ?? 0) + (performance.now() - this.#began) / 1000
  }
}

const sum = (
  standings: readonly Standing[],
  what: 'states' | 'passed' | 'transitions' | 'waiting' | 'violations' | 'kept',
) => standings.reduce((total, standing) => total + standing[what], 0)

function earliest(steps: readonly number[]): number {
  const some = steps.filter((one) => one >= 0)
  return some.length === 0 ? -1 : Math.min(...some)
}
