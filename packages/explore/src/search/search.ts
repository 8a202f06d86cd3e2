import type { Boot, Machine } from '@trapframe/core'
import { breadthFirst } from './breadth-first.js'
import { depthFirst } from './depth-first.js'
import { Exploration, eventsOf, stepsOf } from './exploration.js'
import type { SearchOptions } from './options.js'
import { pathOf } from './path.js'
import type { SearchProgress, SearchResult } from './result.js'
import { nearestLabel } from './symbol.js'

/** Expansions between two looks at the clock. */
const SLICE = 64
const MOST_VIOLATIONS = 16
const PROGRESS_EVERY = 500
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
  #reported = this.#began

  constructor(machine: Machine, boot: Boot, options: SearchOptions) {
    this.#options = options
    this.#exploration = new Exploration(machine, boot, options)
    this.#nameOf = options.nameOf ?? nearestLabel(boot.labels)
    this.#work = strategyOf(this.#exploration, options)
  }

  /** Goes on for about so many milliseconds. Whether there is more to do. */
  advance(milliseconds: number): boolean {
    const until = performance.now() + milliseconds
    for (;;) {
      for (let n = 0; n < SLICE; n++) if (this.#work.next().done === true) return false
      const now = performance.now()
      this.#report(now)
      if (this.#mustStop(now)) return false
      if (now >= until) return true
    }
  }

  finish(): SearchResult {
    const exploration = this.#exploration
    const seconds = (performance.now() - this.#began) / 1000
    const { findings, passed, arrivals, duplicates, states } = exploration
    const { bytes: visitedBytes } = exploration.statesSeen
    const violations = findings.violations
      .toSorted((a, b) => a.rank - b.rank || (a.violation.invariant < b.violation.invariant ? -1 : 1))
      .map(({ violation: { invariant, message, cpu }, rip, rank, origin }) => ({
        invariant,
        message,
        cpu,
        rip,
        label: this.#nameOf(rip),
        events: eventsOf(rank),
        steps: stepsOf(rank),
        path: pathOf(exploration, exploration.wayOf(origin), this.#nameOf),
      }))
    const limits = [...findings.limits.values()].map(({ message, rip, origin }) => ({
      message,
      rip,
      label: this.#nameOf(rip),
      path: pathOf(exploration, exploration.wayOf(origin), this.#nameOf),
    }))
    exploration.machine.restore(exploration.start)
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
      memory: {
        visitedBytes,
        waitingBytes: exploration.waitingBytes,
        bytesPerState: (visitedBytes + exploration.waitingBytes) / states,
      },
      violations,
      limits,
      terminals: findings.terminals,
      coverage: exploration.coverage.list(
        exploration.events.map(({ name }) => name),
        this.#nameOf,
      ),
    }
  }

  #mustStop(now: number): boolean {
    const { maxStates, maxSeconds, maxViolations = MOST_VIOLATIONS, signal } = this.#options
    const { states, findings } = this.#exploration
    if (maxStates !== undefined && states >= maxStates) findings.stopped.add('states')
    else if (maxSeconds !== undefined && now - this.#began >= maxSeconds * 1000) findings.stopped.add('time')
    else if (findings.count >= maxViolations) findings.stopped.add('violations')
    else if (signal?.aborted === true) findings.stopped.add('aborted')
    else return false
    return true
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
      seconds: (now - this.#began) / 1000,
    }
  }
}

function strategyOf(exploration: Exploration, options: SearchOptions): Generator<undefined, void> {
  switch (options.strategy) {
    case 'depth-first':
      return depthFirst(exploration, exploration.maxEvents)
    case 'iterative-deepening':
      return deepening(exploration)
    default:
      return breadthFirst(exploration)
  }
}

/** Depth first with no event, then with one, and so on. */
function* deepening(exploration: Exploration): Generator<undefined, void> {
  for (let events = 0; events <= exploration.maxEvents; events++) {
    yield* depthFirst(exploration, events)
    if (exploration.findings.count > 0) return
  }
}
