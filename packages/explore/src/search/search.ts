import { type Boot, type Machine, MachineError } from '@trapframe/core'
import { BreadthFirst } from './breadth-first.js'
import { PROGRESS_EVERY, stopReason } from './budget.js'
import { makeCheckpoint, requireSameSearch, searchKey } from './checkpoint.js'
import { depthFirst } from './depth-first.js'
import { Exploration, eventsOf, stepsOf } from './exploration.js'
import { resultOf } from './make-result.js'
import type { SearchOptions } from './options.js'
import type { SearchProgress, SearchResult } from './result.js'
import { nearestLabel } from './symbol.js'

/** Expansions between two looks at the clock. */
const SLICE = 64
/** Milliseconds after which an asynchronous search lets others run. */
const TURN = 40

/**
 * Tries every event of a set at every instruction boundary, nested up to a number of them, on every CPU and in every
 * interleaving of CPUs, from the state in which the machine is; judges every step by the machine's invariants. A path that
 * breaks one ends there. The machine comes back to where it was.
 *
 * `complete` says that everything within the budget of events was seen: no other budget, and no limit of the model, was met.
 *
 * @throws MachineError for budgets that are out of range, unknown invariants, a machine without explore
 */
export function search(machine: Machine, boot: Boot, options: SearchOptions = {}): SearchResult {
  const run = new Run(machine, boot, options)
  while (run.advance(Number.POSITIVE_INFINITY));
  return run.finish()
}

/** The same, but lets timers and signals have their turn, so that somebody can abort it. */
export async function searchAsync(machine: Machine, boot: Boot, options: SearchOptions = {}): Promise<SearchResult> {
  const run = new Run(machine, boot, options)
  while (run.advance(TURN)) await new Promise((resolve) => setImmediate(resolve))
  return run.finish()
}

class Run {
  readonly #exploration: Exploration
  readonly #options: SearchOptions
  readonly #work: Generator<undefined, void>
  readonly #nameOf: (address: bigint) => string
  readonly #began = performance.now()
  /** Null for a search depth first, which has no checkpoints. */
  readonly #breadthFirst: BreadthFirst | null
  readonly #key: string
  /** Seconds that the search took before it was resumed. */
  readonly #before: number
  #reported = this.#began
  #saved = this.#began

  constructor(machine: Machine, boot: Boot, options: SearchOptions) {
    this.#options = options
    this.#exploration = new Exploration(machine, boot, options)
    this.#nameOf = options.nameOf ?? nearestLabel(boot.labels)
    const { strategy = 'breadth-first', resume, checkpoint } = options
    if (strategy !== 'breadth-first' && (resume !== undefined || checkpoint !== undefined)) {
      throw new MachineError('no-checkpoint', `a search ${strategy} has no checkpoints`, {
        hint: 'search breadth first',
      })
    }
    this.#key = searchKey(machine, options)
    if (resume !== undefined) requireSameSearch(resume, this.#key)
    this.#before = resume?.seconds ?? 0
    machine.interchangeInHash(options.interchangeable ?? [])
    this.#breadthFirst = strategy === 'breadth-first' ? new BreadthFirst(this.#exploration, resume) : null
    this.#work = this.#breadthFirst?.run() ?? depthFirstOf(this.#exploration, options)
  }

  /** Goes on for about so many milliseconds. Whether there is more to do. */
  advance(milliseconds: number): boolean {
    const until = performance.now() + milliseconds
    for (;;) {
      for (let n = 0; n < SLICE; n++) if (this.#work.next().done === true) return false
      const now = performance.now()
      this.#report(now)
      const { checkpoint } = this.#options
      const stop = this.#mustStop(now)
      if (checkpoint !== undefined && (stop || now - this.#saved >= checkpoint.everySeconds * 1000)) this.#save()
      if (stop) return false
      if (now >= until) return true
    }
  }

  finish(): SearchResult {
    const exploration = this.#exploration
    const { machine } = exploration
    const result = resultOf(exploration, {
      states: exploration.states,
      visitedBytes: exploration.statesSeen.bytes,
      seconds: this.#seconds(performance.now()),
      nameOf: this.#nameOf,
      wayOf: (origin) => exploration.wayOf(origin),
    })
    machine.interchangeInHash([])
    machine.restore(exploration.start)
    return result
  }

  /** Goes on to the end of the level, where a search can be resumed, and hands its state out. */
  #save(): void {
    const search = this.#breadthFirst!
    while (search.level === null && this.#work.next().done !== true);
    this.#saved = performance.now()
    if (search.level === null) return
    const checkpoint = makeCheckpoint(this.#key, search.level, [search.shard.save()], this.#seconds(this.#saved))
    this.#options.checkpoint!.save(checkpoint)
  }

  #seconds(now: number): number {
    return this.#before + (now - this.#began) / 1000
  }

  #mustStop(now: number): boolean {
    const { states, findings } = this.#exploration
    const at = { states, seconds: (now - this.#began) / 1000, violations: findings.count }
    const reason = stopReason(this.#options, at, this.#options.signal)
    if (reason !== null) findings.stopped.add(reason)
    return reason !== null
  }

  #report(now: number): void {
    const { onProgress, progressEvery = PROGRESS_EVERY } = this.#options
    if (onProgress === undefined || now - this.#reported < progressEvery) return
    this.#reported = now
    onProgress(this.#progress(now))
  }

  #progress(now: number): SearchProgress {
    const { states, passed, transitions, rank, waiting, findings } = this.#exploration
    return {
      states,
      passed,
      transitions,
      events: eventsOf(rank),
      steps: stepsOf(rank),
      waiting,
      violations: findings.count,
      seconds: this.#seconds(now),
    }
  }
}

function depthFirstOf(exploration: Exploration, { strategy }: SearchOptions): Generator<undefined, void> {
  return strategy === 'depth-first' ? depthFirst(exploration, exploration.maxEvents) : deepening(exploration)
}

/** Depth first with no event, then with one, and so on. */
function* deepening(exploration: Exploration): Generator<undefined, void> {
  for (let events = 0; events <= exploration.maxEvents; events++) {
    yield* depthFirst(exploration, events)
    if (exploration.findings.count > 0) return
  }
}
