import { type Cpu, choose, type Machine, RIP, step } from '@trapframe/core'
import type { Violation } from '../invariant/invariant.js'
import type { Judge } from '../invariant/judge.js'
import { type ChoiceCode, type Choices, choiceCpu, choiceEvent, choiceHappening } from './choice.js'
import type { Coverage } from './coverage.js'
import type { DeadStacks } from './dead-stack.js'
import type { ExploreEvent } from './event.js'

/**
 * One transition of a machine, a function of its state and a choice and of nothing else: what replays and workers in other
 * threads repeat. An injection and the step that takes it are one.
 */
export class Transitions {
  readonly machine: Machine
  readonly judge: Judge
  readonly #events: readonly ExploreEvent[]
  readonly #choices: Choices
  readonly #coverage: Coverage
  readonly #deadStacks: DeadStacks | null
  readonly #forget: ((cpu: Cpu) => void) | null
  /** Transitions that were judged. */
  made = 0
  /** A handler was left in the last one. */
  returned = false

  constructor(
    machine: Machine,
    judge: Judge,
    events: readonly ExploreEvent[],
    choices: Choices,
    coverage: Coverage,
    deadStacks: DeadStacks | null,
    forget: ((cpu: Cpu) => void) | null,
  ) {
    this.#forget = forget
    this.#deadStacks = deadStacks
    this.machine = machine
    this.judge = judge
    this.#events = events
    this.#choices = choices
    this.#coverage = coverage
  }

  /** Makes a choice for the first time: notes it in the coverage and judges what it led to. */
  make(choice: ChoiceCode): readonly Violation[] {
    if (choiceHappening(choice) === 0) {
      const { words } = this.machine.cpus[choiceCpu(choice)]!
      this.#coverage.note(words[RIP]!, words[RIP + 1]!, choiceEvent(choice))
    }
    this.made++
    this.#apply(choice)
    const violations = this.judge.judge()
    this.returned = this.judge.returned()
    this.#settle()
    return violations
  }

  /** Makes a choice that was made before. */
  repeat(choice: ChoiceCode): void {
    this.#apply(choice)
    this.#settle()
  }

  #settle(): void {
    this.#deadStacks?.clear(this.judge.ghost)
    this.judge.settle()
    const forget = this.#forget
    if (forget === null) return
    const { cpus } = this.machine
    for (let id = 0; id < cpus.length; id++) forget(cpus[id]!)
  }

  #apply(choice: ChoiceCode): void {
    const happening = choiceHappening(choice)
    if (happening !== 0) {
      choose(this.machine, { kind: 'happening', name: this.#choices.happeningName(happening) })
      return
    }
    const cpu = this.machine.cpus[choiceCpu(choice)]!
    const event = choiceEvent(choice)
    if (event === 0) {
      step(cpu)
      return
    }
    const after = this.#events[event - 1]!.inject(cpu)
    try {
      step(cpu)
    } finally {
      after?.()
    }
  }
}
