import type { Violation } from '../invariant/invariant.js'
import type { ChoiceCode } from './choice.js'
import type { StopReason, TerminalKind } from './result.js'

/** The way to a finding, as choices from the start; a line of forced steps is -1 for each. */
export type Way = readonly ChoiceCode[]

/** Stands in a {@link Way} for a step without a choice. */
export const FORCED = -1

/** A choice with as many steps without a choice after it, 0 to 127, as one integer. */
export const madeOf = (choice: ChoiceCode, line: number): number => (choice << LINE_BITS) | line
export const madeChoice = (made: number): ChoiceCode => made >>> LINE_BITS
export const madeLine = (made: number): number => made & ((1 << LINE_BITS) - 1)
const LINE_BITS = 7

/**
 * What led to a finding: what was done in a remembered state, by the hash of that state; or the whole way, where a search
 * does not remember how it came to states.
 */
export interface Origin {
  readonly made: number
  readonly parentLo: number
  readonly parentHi: number
  readonly way?: Way
}

export interface Finding {
  readonly violation: Violation
  readonly rip: bigint
  readonly rank: number
  readonly origin: Origin
}

export interface Limit {
  readonly message: string
  readonly rip: bigint
  readonly rank: number
  readonly origin: Origin
}

/** What a search has found so far. */
export class Findings {
  readonly #byPlace = new Map<string, Finding>()
  readonly limits = new Map<string, Limit>()
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
  note(violation: Violation, rip: bigint, choice: ChoiceCode, rank: number, origin: Origin): void {
    this.add(`${violation.invariant} ${violation.cpu} ${rip} ${choice}`, { violation, rip, rank, origin })
  }

  /** Adds what another search found, or this one, under the key that tells findings apart. */
  add(key: string, finding: Finding): void {
    const known = this.#byPlace.get(key)
    if (known === undefined || isNearer(finding, known)) this.#byPlace.set(key, copied(finding))
  }

  /** What was found, by key. */
  get entries(): readonly (readonly [key: string, finding: Finding])[] {
    return [...this.#byPlace]
  }

  /** Notes a step that the model cannot make. */
  noteLimit(message: string, rip: bigint, rank: number, origin: Origin): void {
    const limit = { message, rip, rank, origin }
    const key = `${rip} ${message}`
    const known = this.limits.get(key)
    if (known === undefined || isNearer(limit, known)) this.limits.set(key, copied(limit))
    this.stopped.add('model')
  }
}

type Found = Pick<Finding, 'rank' | 'origin'>

/** Fewer events, then fewer steps; then, so that the order of finding does not matter, the smaller thing done last. */
function isNearer(a: Found, b: Found): boolean {
  if (a.rank !== b.rank) return a.rank < b.rank
  if (a.origin.made !== b.origin.made) return a.origin.made < b.origin.made
  if (a.origin.parentLo !== b.origin.parentLo) return a.origin.parentLo < b.origin.parentLo
  return a.origin.parentHi < b.origin.parentHi
}

/** An origin may be an object that its owner uses again. */
function copied<T extends Found>(found: T): T {
  const { made, parentLo, parentHi, way } = found.origin
  return { ...found, origin: { made, parentLo, parentHi, ...(way === undefined ? {} : { way }) } }
}
