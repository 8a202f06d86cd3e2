import type { ChoiceCode } from './choice.js'
import { type Exploration, eventsOf, rankOf, stepsOf } from './exploration.js'
import { FORCED, type Way } from './findings.js'
import { type Node, PathLog, ROOT } from './path-log.js'

/** In a straight line, a state is remembered this often, so that a line that goes round ends. */
const REMEMBER_EVERY = 64

/** In a straight line, the clock is looked at this often. */
const ASK_EVERY = 4096

/** States by the number of steps that led to them. */
class Buckets {
  readonly #bySteps = new Map<number, Node[]>()
  #last = -1
  count = 0

  put(steps: number, node: Node): void {
    const bucket = this.#bySteps.get(steps)
    if (bucket === undefined) this.#bySteps.set(steps, [node])
    else bucket.push(node)
    this.#last = Math.max(this.#last, steps)
    this.count++
  }

  take(steps: number): readonly Node[] {
    const bucket = this.#bySteps.get(steps) ?? []
    this.#bySteps.delete(steps)
    this.count -= bucket.length
    return bucket
  }

  get last(): number {
    return this.#last
  }
}

/**
 * Breadth first, in the order of injected events, then of steps: the first way to a state is one with the fewest events
 * and, among these, the fewest steps, and so is the first counterexample of a kind.
 *
 * All states with e events come before those with e + 1. A state therefore waits twice: for the choices that inject
 * nothing, and, when the next number of events has its turn, for those that inject one. A state met with fewer events had
 * more of them left, so that meeting it again leads nowhere new.
 *
 * Straight lines: a state with one choice has one successor, and what lies behind it is reached through that successor and
 * in no other way. Running on without hashing it therefore misses no state, as every step is judged all the same; it only
 * forgoes noticing that two lines have met. So that this costs little, the line is looked up in the visited set where lines
 * meet most, when a handler was left, and every 64 steps, so that a line that goes round ends. It stops at a state that
 * was met at a rank no higher; one that was met at a higher rank is passed again, so that counterexamples stay minimal.
 *
 * Yields now and then, so that the caller can stop it.
 */
export function* breadthFirst(exploration: Exploration, checkpointEvery: number): Generator<undefined, void> {
  const log = new PathLog(exploration.machine, checkpointEvery)
  const frontier = new Frontier(exploration, log)
  frontier.begin()
  let kept = new Buckets()
  for (let events = 0; events <= exploration.maxEvents; events++) {
    const keep = new Buckets()
    for (let steps = 0; steps <= Math.max(frontier.queue.last, kept.last); steps++) {
      exploration.rank = rankOf(events, steps)
      for (const node of kept.take(steps)) {
        frontier.expandEvents(node)
        log.release(node)
        yield
      }
      for (const node of frontier.queue.take(steps)) {
        const injectable = frontier.expandSteps(node)
        if (injectable) keep.put(steps, node)
        else log.release(node)
        exploration.waiting = frontier.queue.count + kept.count + keep.count
        exploration.logBytes = log.bytes
        exploration.snapshotBytes = log.peakSnapshotBytes
        yield
      }
    }
    kept = keep
    frontier.nextLayer()
    if (kept.count === 0) break
  }
}

class Frontier {
  readonly #exploration: Exploration
  readonly #log: PathLog
  queue = new Buckets()

  constructor(exploration: Exploration, log: PathLog) {
    this.#exploration = exploration
    this.#log = log
  }

  begin(): void {
    this.#exploration.visit(0)
    if (this.#exploration.choices.plain() === 0) this.#exploration.noteTerminal()
    this.queue.put(0, this.#log.begin())
  }

  nextLayer(): void {
    this.queue = new Buckets()
  }

  /** Makes the choices that inject nothing. Whether there are others, for which the state must be kept. */
  expandSteps(node: Node): boolean {
    const exploration = this.#exploration
    const { choices } = exploration
    this.#log.goTo(node, exploration)
    const injectable = eventsOf(this.#log.rank(node)) < exploration.maxEvents && choices.canInject()
    if (choices.plain() > 0) this.#expand(node, eventsOf(this.#log.rank(node)))
    return injectable
  }

  /** Makes the choices that inject an event. */
  expandEvents(node: Node): void {
    this.#log.goTo(node, this.#exploration)
    this.#exploration.choices.injecting()
    this.#expand(node, eventsOf(this.#log.rank(node)) + 1)
  }

  #expand(node: Node, events: number): void {
    const exploration = this.#exploration
    const { list } = exploration.choices
    const steps = stepsOf(this.#log.rank(node)) + 1
    if (steps > exploration.maxSteps) {
      if (list.length > 0) exploration.findings.stopped.add('steps')
      return
    }
    if (list.length === 1) {
      this.#follow(node, list[0]!, events, steps)
      return
    }
    const all = list.slice()
    for (let i = 0; i < all.length; i++) {
      if (i > 0) this.#log.goTo(node, exploration)
      this.#follow(node, all[i]!, events, steps)
    }
  }

  /** Makes a choice and what follows without one, up to a state that has several, is known, or leads nowhere. */
  #follow(parent: Node, choice: ChoiceCode, events: number, steps: number): void {
    const exploration = this.#exploration
    const { choices } = exploration
    const way = (line: number) => (): Way => this.#wayTo(parent, choice, line)
    if (!exploration.make(choice, rankOf(events, steps), way(0))) return
    let line = 0
    for (;;) {
      const rank = rankOf(events, steps + line)
      const injectable = events < exploration.maxEvents && choices.canInject()
      const count = choices.plain()
      const only = exploration.straightLines && count === 1 && !injectable
      if (!only || exploration.returned || (line & (REMEMBER_EVERY - 1)) === REMEMBER_EVERY - 1) {
        const visit = exploration.visit(rank)
        if (visit === 'known') return
        if (!only) {
          if (count === 0 && visit === 'new') exploration.noteTerminal()
          if (count === 0 && !injectable) return
          this.queue.put(steps + line, this.#log.add(parent, choice, line, rank))
          return
        }
      } else {
        exploration.passed++
      }
      if ((line & (ASK_EVERY - 1)) === ASK_EVERY - 1 && exploration.mustStop()) return
      if (steps + line === exploration.maxSteps) {
        exploration.findings.stopped.add('steps')
        return
      }
      line++
      if (!exploration.make(choices.list[0]!, rankOf(events, steps + line), way(line))) return
    }
  }

  #wayTo(parent: Node, choice: ChoiceCode, line: number): Way {
    const way: ChoiceCode[] = []
    const add = (made: ChoiceCode, forced: number): void => {
      way.push(made)
      for (let n = 0; n < forced; n++) way.push(FORCED)
    }
    if (parent !== ROOT) this.#log.eachOnPath(parent, add)
    add(choice, line)
    return way
  }
}
