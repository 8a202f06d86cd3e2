import { ARRIVING, type Cpu, canStep, happenings, hasDeliverableEvent, type Machine, STATUS } from '@trapframe/core'
import type { ExploreEvent } from './event.js'
import type { Alone } from './options.js'

/**
 * What may happen next, as one integer: the number of the CPU that steps in bits 7:0, the number of the event that is
 * injected first in bits 12:8 (from 1, 0 for none), the number of what happens instead of a step in bits 23:13 (from 1).
 */
export type ChoiceCode = number

const EVENT_SHIFT = 8
const HAPPENING_SHIFT = 13

export const choiceCpu = (choice: ChoiceCode): number => choice & 0xff
/** Number of the injected event, from 1; 0 for none. */
export const choiceEvent = (choice: ChoiceCode): number => (choice >> EVENT_SHIFT) & 0x1f
/** Number of the happening, from 1; 0 for a step. */
export const choiceHappening = (choice: ChoiceCode): number => choice >> HAPPENING_SHIFT

export const stepChoice = (cpu: number): ChoiceCode => cpu
export const eventChoice = (cpu: number, event: number): ChoiceCode => cpu | (event << EVENT_SHIFT)
const happeningChoice = (number: number): ChoiceCode => number << HAPPENING_SHIFT

/** What may be injected, and where. */
export interface Injections {
  readonly events: readonly ExploreEvent[]
  readonly cpus: readonly number[]
  /** Whether events may happen to this CPU at this boundary; null for everywhere. */
  readonly where: ((cpu: Cpu) => boolean) | null
}

/** The transition relation: which choices a machine has. It depends on the machine's state alone. */
export class Choices {
  readonly #machine: Machine
  readonly #injections: Injections
  readonly #atEnd: ((cpu: Cpu) => boolean) | null
  readonly #alone: Alone | null
  /** The choices of the last question. */
  readonly list: number[] = []

  constructor(
    machine: Machine,
    injections: Injections,
    atEnd: ((cpu: Cpu) => boolean) | null,
    alone: Alone | null = null,
  ) {
    this.#alone = alone
    this.#machine = machine
    this.#injections = injections
    this.#atEnd = atEnd
  }

  /** Whether a CPU has a step to make: one that is at its end only takes what is pending. */
  canStep(cpu: Cpu): boolean {
    if (!canStep(cpu)) return false
    if (this.#atEnd === null || !this.#atEnd(cpu)) return true
    return hasDeliverableEvent(cpu) || (cpu.words[STATUS]! & ARRIVING) !== 0
  }

  /** Fills {@link list} with the choices that inject nothing, and returns their number. */
  plain(): number {
    const { list } = this
    const { cpus } = this.#machine
    list.length = 0
    const alone = this.#whoIsAlone()
    if (alone !== null) list.push(stepChoice(alone.id))
    else for (let id = 0; id < cpus.length; id++) if (this.canStep(cpus[id]!)) list.push(stepChoice(id))
    const names = happenings(this.#machine)
    for (let i = 0; i < names.length; i++) {
      if (alone === null || this.#alone!.concerns(names[i]!, alone)) list.push(happeningChoice(i + 1))
    }
    return list.length
  }

  /** Fills {@link list} with the choices that inject an event, and returns their number. */
  injecting(): number {
    this.list.length = 0
    this.#eachInjection((choice) => {
      this.list.push(choice)
      return false
    })
    return this.list.length
  }

  /** Whether there is a choice that injects an event. */
  canInject(): boolean {
    return this.#eachInjection(() => true)
  }

  /** Name of a happening by its number, which counts those that can happen in the state that the machine is in, from 1. */
  happeningName(number: number): string {
    return happenings(this.#machine)[number - 1]!
  }

  /** The first CPU that is by itself and can step; null for none. */
  #whoIsAlone(): Cpu | null {
    const alone = this.#alone
    if (alone === null) return null
    const { cpus } = this.#machine
    for (let id = 0; id < cpus.length; id++) {
      const cpu = cpus[id]!
      if (alone.cpu(cpu) && this.canStep(cpu)) return cpu
    }
    return null
  }

  #eachInjection(visit: (choice: ChoiceCode) => boolean): boolean {
    const { events, cpus, where } = this.#injections
    const alone = this.#whoIsAlone()
    for (let i = 0; i < cpus.length; i++) {
      const cpu = this.#machine.cpus[cpus[i]!]!
      if (alone !== null && cpu !== alone) continue
      if (where !== null && !where(cpu)) continue
      for (let n = 0; n < events.length; n++) {
        const event = events[n]!
        if (!event.ready(cpu) && (where === null || !event.latches(cpu))) continue
        if (visit(eventChoice(cpu.id, n + 1))) return true
      }
    }
    return false
  }
}
