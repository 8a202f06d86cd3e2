import { PAGE_SIZE, type Snapshot } from '@trapframe/core'
import { type ChoiceCode, choiceEvent } from './choice.js'
import { type Exploration, rankOf } from './exploration.js'
import type { Origin } from './findings.js'
import { MOST_STEPS } from './options.js'

/** A state on the path that has choices left. */
interface Turn {
  readonly snapshot: Snapshot
  readonly choices: readonly ChoiceCode[]
  next: number
  readonly events: number
  readonly steps: number
}

/**
 * Depth first, with at most `maxEvents` injected events on a path: what waits is one path, not a frontier, and needs
 * memory in the measure of its length. A state counts as known where it was met with no more events, and with no more steps
 * where these are bounded, than now; otherwise it may lead further than it did and is entered again.
 *
 * Yields now and then, so that the caller can stop it.
 */
export function* depthFirst(exploration: Exploration, maxEvents: number): Generator<undefined, void> {
  const { machine, choices, visited } = exploration
  const bounded = exploration.maxSteps < MOST_STEPS
  const path: ChoiceCode[] = []
  const turns: Turn[] = []
  let events = 0
  let steps = 0
  let choice: ChoiceCode | null = null
  visited.clear()
  machine.restore(exploration.start)
  exploration.visit(0)

  /** The choices of the state that the machine is in; the first is returned, the others wait. */
  const turn = (fresh: boolean): ChoiceCode | null => {
    const plain = choices.plain()
    const all = choices.list.slice()
    if (plain === 0 && fresh) exploration.noteTerminal()
    if (events < maxEvents && choices.injecting() > 0) all.push(...choices.list)
    if (all.length === 0) return null
    if (steps >= exploration.maxSteps) {
      exploration.findings.stopped.add('steps')
      return null
    }
    if (all.length > 1) {
      const snapshot = machine.snapshot()
      turns.push({ snapshot, choices: all, next: 1, events, steps })
      exploration.waitingBytes = Math.max(exploration.waitingBytes, turns.length * bytesOf(snapshot))
    }
    return all[0]!
  }

  const origin: Origin = {
    made: 0,
    parentLo: 0,
    parentHi: 0,
    get way() {
      return path.slice(0, steps)
    },
  }
  choice = turn(true)
  for (;;) {
    yield
    if (choice === null) {
      const last = turns.at(-1)
      if (last === undefined) return
      machine.restore(last.snapshot)
      events = last.events
      steps = last.steps
      choice = last.choices[last.next++]!
      if (last.next === last.choices.length) turns.pop()
    }
    path[steps] = choice
    steps++
    if (choiceEvent(choice) !== 0) events++
    exploration.rank = rankOf(events, steps)
    exploration.waiting = turns.length
    if (!exploration.make(choice, rankOf(events, steps), origin)) {
      choice = null
      continue
    }
    const visit = exploration.visit(rankOf(events, bounded ? steps : 0))
    choice = visit === 'known' ? null : turn(visit === 'new')
  }
}

/** About what a snapshot on the path takes: its flat state, its pointers, and a page that was written since the last one. */
const bytesOf = ({ state, frames }: Snapshot): number => state.byteLength + frames.length * 8 + PAGE_SIZE
