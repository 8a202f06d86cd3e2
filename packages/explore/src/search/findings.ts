import type { Violation } from '../invariant/invariant.js'
import type { ChoiceCode } from './choice.js'
import type { StopReason, TerminalKind } from './result.js'

/** The way to a finding, as choices from the start; a line of forced steps is -1 for each. */
export type Way = readonly ChoiceCode[]

/** Stands in a {@link Way} for a step without a choice. */
export const FORCED = -1

export interface Finding {
  readonly violation: Violation
  readonly rip: bigint
  readonly rank: number
  readonly way: Way
}

/** What a search has found so far. */
export class Findings {
  readonly #byPlace = new Map<string, Finding>()
  readonly limits = new Map<string, { readonly message: string; readonly rip: bigint; readonly way: Way }>()
  readonly terminals: Record<TerminalKind, number> = { shutdown: 0, halted: 0, end: 0 }
  readonly stopped = new Set<StopReason>()

  get violations(): readonly Finding[] {
    return [...this.#byPlace.values()]
  }

  get count(): number {
    return this.#byPlace.size
  }

  /**
   * Notes a violation that a choice at RIP `rip` led to; of several of one invariant in one place, with the same event or
   * none, the one at the lowest rank stays.
   */
  note(violation: Violation, rip: bigint, choice: ChoiceCode, rank: number, way: () => Way): void {
    const key = `${violation.invariant} ${violation.cpu} ${rip} ${choice}`
    const known = this.#byPlace.get(key)
    if (known === undefined || rank < known.rank) this.#byPlace.set(key, { violation, rip, rank, way: way() })
  }

  /** Notes a step that the model cannot make. */
  noteLimit(message: string, rip: bigint, way: () => Way): void {
    const key = `${rip} ${message}`
    if (!this.limits.has(key)) this.limits.set(key, { message, rip, way: way() })
    this.stopped.add('model')
  }
}
