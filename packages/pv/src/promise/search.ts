import fc from 'fast-check'
import { guestPrograms } from './arbitrary.js'
import type { Divergence } from './compare.js'
import { KINDS, type Kind } from './kinds.js'
import { printProgram } from './print.js'
import type { GuestProgram } from './program.js'

/** Runs a program under both deliveries, from the guests' initial state. */
export type Comparison = (program: GuestProgram) => readonly Divergence[]

/** A kind of difference, and the smallest program that was found to show it. */
export interface FoundKind {
  readonly kind: Kind
  readonly program: GuestProgram
  /** The moment that shows it. */
  readonly divergence: Divergence
}

/** Where random programs come from, and how many there are. */
export interface SearchOptions {
  readonly seed: number
  /** Programs that are tried before a kind counts as not found. */
  readonly programs: number
}

/** Programs as text, so that those that several kinds are looked for in run once. */
const asText = (program: GuestProgram): string =>
  JSON.stringify(program, (_, value) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value))

/**
 * Looks for each kind of difference among random programs, and shrinks the first one that shows it: the same kinds and
 * programs for the same seed. A kind without program was not found.
 */
export function searchKinds(
  compare: Comparison,
  { seed, programs }: SearchOptions,
  kinds: readonly Kind[] = KINDS,
): ReadonlyMap<Kind, FoundKind | null> {
  const known = new Map<string, readonly Kind[]>()
  const shown = (program: GuestProgram): readonly Kind[] => {
    const text = asText(program)
    let answer = known.get(text)
    if (answer === undefined) {
      answer = [...new Set(compare(program).flatMap((divergence) => divergence.kinds))]
      known.set(text, answer)
    }
    return answer
  }
  const find = (kind: Kind, from: number): GuestProgram | null => {
    const property = fc.property(guestPrograms, (program) => !shown(program).includes(kind))
    return fc.check(property, { seed: from, numRuns: programs }).counterexample?.[0] ?? null
  }
  return new Map(
    kinds.map((kind) => {
      // Shrinking ends where every single step loses the difference: of several such ends the smallest is taken.
      const smallest = Array.from({ length: ATTEMPTS }, (_, i) => find(kind, seed + i))
        .filter((program) => program !== null)
        .sort((a, b) => sizeOf(a) - sizeOf(b))[0]
      if (smallest === undefined) return [kind, null]
      const divergence = compare(smallest).find((each) => each.kinds.includes(kind))!
      return [kind, { kind, program: smallest, divergence }]
    }),
  )
}

/** Seeds that each kind is looked for with. */
const ATTEMPTS = 3

/** How much there is to read of a program, and of what is unusual about its start. */
const sizeOf = (program: GuestProgram): number => printProgram(program).join('').length

/** Whether a moment shows what the promise of revision `rfc` does not leave out: anything but what the CPU itself shows. */
export const breaksPromise = ({ kinds, unexplained }: Divergence): boolean =>
  unexplained.length > 0 || kinds.some(({ byTheCpu }) => byTheCpu !== true)

/** Runs random programs until one tells the deliveries apart, and shrinks that one; null where none does (P1). */
export function searchBrokenPromise(
  compare: Comparison,
  { seed, programs }: SearchOptions,
): { readonly program: GuestProgram; readonly divergence: Divergence } | null {
  const property = fc.property(guestPrograms, (program) => !compare(program).some(breaksPromise))
  const program = fc.check(property, { seed, numRuns: programs }).counterexample?.[0]
  if (program === undefined) return null
  return { program, divergence: compare(program).find(breaksPromise)! }
}
