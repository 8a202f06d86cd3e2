import type { Snapshot } from '@trapframe/core'
import type { ChoiceCode } from './choice.js'
import { type Exploration, rankOf } from './exploration.js'
import { madeOf } from './findings.js'
import { StatePacker } from './packed-state.js'
import { type Bucket, RECORD_HEADER } from './waiting-states.js'

/** In a straight line, a state is remembered this often, so that a line that goes round ends. */
const REMEMBER_EVERY = 64

/** What an expansion led to; the machine is in that state. */
export interface Arrival {
  /** Hash of the state. */
  lo: number
  hi: number
  /** Injected events and steps on the way. */
  events: number
  steps: number
  /** Hash of the state that was expanded, and what was done there. */
  parentLo: number
  parentHi: number
  made: number
  /** There are choices that inject nothing; that inject something. */
  plain: boolean
  injectable: boolean
}

/**
 * Expands states of a breadth-first search: makes their choices, and what follows without one, up to a state that is worth
 * remembering. What it does depends on the state alone, so that searches in several threads do the same as one.
 *
 * Straight lines: a state with one choice has one successor, and what lies behind it is reached through that successor and
 * in no other way. Running on without hashing it therefore misses no state, as every step is judged all the same; it only
 * forgoes noticing that two lines have met. So that this costs little, a line ends where lines meet most, when a handler
 * was left, and after 64 steps, so that a line that goes round ends.
 */
export class Expander {
  readonly packer: StatePacker
  readonly #exploration: Exploration
  readonly #arrive: (arrival: Arrival) => void
  readonly #arrival: Arrival = {
    lo: 0,
    hi: 0,
    events: 0,
    steps: 0,
    parentLo: 0,
    parentHi: 0,
    made: 0,
    plain: false,
    injectable: false,
  }
  #here: Snapshot | undefined
  readonly #list: ChoiceCode[] = []

  /** The machine is where the search begins. */
  constructor(exploration: Exploration, arrive: (arrival: Arrival) => void) {
    this.#exploration = exploration
    this.#arrive = arrive
    this.packer = new StatePacker(exploration.machine)
  }

  /** Puts the machine into the state of a bucket's record at `at`. */
  load({ data }: Bucket, at: number): void {
    this.#arrival.parentLo = data[at + 1]!
    this.#arrival.parentHi = data[at + 2]!
    this.packer.unpack(data, at + RECORD_HEADER, data[at]!, this.#exploration.keepsStates ? undefined : this.#here)
  }

  /** Makes the choices of the loaded state that inject nothing. Whether there are others. */
  expandSteps(events: number, steps: number): boolean {
    const { choices, maxEvents } = this.#exploration
    const injectable = events < maxEvents && choices.canInject()
    choices.plain()
    this.#expand(events, steps + 1)
    return injectable
  }

  /** Makes the choices of the loaded state that inject an event. */
  expandEvents(events: number, steps: number): void {
    this.#exploration.choices.injecting()
    this.#expand(events + 1, steps + 1)
  }

  #expand(events: number, steps: number): void {
    const { choices, machine, maxSteps, findings } = this.#exploration
    const made = choices.list
    if (made.length === 0) return
    if (steps > maxSteps) {
      findings.stopped.add('steps')
      return
    }
    if (made.length === 1) {
      this.#follow(made[0]!, events, steps)
      return
    }
    const list = this.#list
    list.length = made.length
    for (let i = 0; i < made.length; i++) list[i] = made[i]!
    const here = machine.snapshot(this.#here)
    this.#here = here
    for (let i = 0; i < list.length; i++) {
      if (i > 0) machine.restore(here)
      this.#follow(list[i]!, events, steps)
    }
  }

  /** Makes a choice and what follows without one. */
  #follow(choice: ChoiceCode, events: number, first: number): void {
    const exploration = this.#exploration
    const arrival = this.#arrival
    const { choices, maxEvents } = exploration
    let steps = first
    let made = choice
    for (;;) {
      const line = steps - first
      arrival.made = madeOf(choice, line)
      if (!exploration.make(made, rankOf(events, steps), arrival)) return
      const injectable = events < maxEvents && choices.canInject()
      const count = choices.plain()
      const goesOn = exploration.straightLines && count === 1 && !injectable && !exploration.returned
      if (!goesOn || line === REMEMBER_EVERY - 1) {
        arrival.lo = exploration.hash()
        arrival.hi = exploration.machine.hashHi
        arrival.events = events
        arrival.steps = steps
        arrival.plain = count > 0
        arrival.injectable = injectable
        this.#arrive(arrival)
        return
      }
      exploration.passed++
      if (steps === exploration.maxSteps) {
        exploration.findings.stopped.add('steps')
        return
      }
      made = choices.list[0]!
      steps++
    }
  }
}
