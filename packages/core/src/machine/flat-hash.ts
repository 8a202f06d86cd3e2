import { HashSum, highTerm, lowTerm } from '../memory/hash.js'
import type { Layout, Region } from '../state/layout.js'
import { nextDifference } from '../state/next-difference.js'

/** Words of the flat state that hashes count, from `from` to `to - 1`. */
interface Span {
  readonly from: number
  readonly to: number
  /** How many of them may be other than zero: {@link Region.used}; left out, all. */
  readonly used?: (words: Int32Array, from: number) => number
}

/** Sets the terms of the parts of the state apart from those of pages and tables. */
const PART_SEED = 0x1b873593

/**
 * Hash of the flat state, kept up to date: each call looks for the words that changed since the last one and exchanges
 * their terms, whatever way changed them. Each part, the machine's and every CPU's, has a sum of its own, in which a word
 * counts by its place in the part; CPUs that are declared interchangeable then count in no order.
 */
export class FlatHash {
  lo = 0
  hi = 0
  readonly #state: Int32Array
  /** The state that the sums are of. */
  readonly #summed: Int32Array
  readonly #parts: readonly (readonly Span[])[]
  readonly #starts: readonly number[]
  readonly #sums: readonly HashSum[]
  readonly #places: number[]
  /** For each span with `used`, how much of it is in the sums. */
  readonly #used = new Map<Span, number>()

  constructor(state: Int32Array, layout: Layout, cpus: number) {
    const { machineWords, cpuWords } = layout
    this.#state = state
    this.#summed = new Int32Array(state.length)
    this.#starts = [0, ...Array.from({ length: cpus }, (_, id) => machineWords + id * cpuWords)]
    this.#parts = this.#starts.map((start, part) =>
      spansOf(layout, part === 0 ? 'machine' : 'cpu', start, start + (part === 0 ? machineWords : cpuWords)),
    )
    this.#sums = this.#parts.map(() => new HashSum())
    this.#places = this.#parts.map((_, part) => part ^ PART_SEED)
    for (const span of this.#parts.flat()) if (span.used !== undefined) this.#used.set(span, 0)
  }

  /** From now on the CPUs of a group count in no order. */
  interchange(groups: readonly (readonly number[])[]): void {
    this.#parts.forEach((_, part) => {
      this.#places[part] = part ^ PART_SEED
    })
    for (const group of groups) for (const id of group) this.#places[id + 1] = (group[0]! + 1) ^ PART_SEED
  }

  /** Brings {@link lo} and {@link hi} up to date. */
  update(): void {
    const parts = this.#parts
    let lo = 0
    let hi = 0
    for (let part = 0; part < parts.length; part++) {
      const spans = parts[part]!
      const sum = this.#sums[part]!
      const start = this.#starts[part]!
      for (let i = 0; i < spans.length; i++) {
        const span = spans[i]!
        exchange(this.#state, this.#summed, span.from, span.used === undefined ? span.to : this.#end(span), start, sum)
      }
      const place = this.#places[part]!
      lo = (lo + lowTerm(sum.lo, place)) | 0
      hi = (hi + highTerm(sum.hi, place)) | 0
    }
    this.lo = lo
    this.hi = hi
  }

  /** Beyond what is used now and what was used before all is zero. */
  #end(span: Span): number {
    const used = span.used!(this.#state, span.from)
    const before = this.#used.get(span)!
    this.#used.set(span, used)
    return Math.min(span.to, span.from + Math.max(used, before))
  }
}

/** Exchanges the terms of words that differ from what was summed. They come in runs, with long stretches between. */
function exchange(state: Int32Array, summed: Int32Array, from: number, to: number, start: number, sum: HashSum): void {
  let { lo, hi } = sum
  for (let i = nextDifference(state, summed, from, to); i < to; i = nextDifference(state, summed, i, to)) {
    do {
      const word = state[i]!
      const before = summed[i]!
      summed[i] = word
      const place = i - start + 1
      if (before !== 0) {
        lo = (lo - lowTerm(before, place)) | 0
        hi = (hi - highTerm(before, place)) | 0
      }
      if (word !== 0) {
        lo = (lo + lowTerm(word, place)) | 0
        hi = (hi + highTerm(word, place)) | 0
      }
      i++
    } while (i < to && state[i] !== summed[i])
  }
  sum.lo = lo
  sum.hi = hi
}

/** A part without its volatile regions; regions that say how much of them is used are spans of their own. */
function spansOf({ regions }: Layout, scope: Region['scope'], start: number, end: number): Span[] {
  const spans: Span[] = []
  let from = start
  const special = [...regions.values()].filter(
    (region) => region.scope === scope && (region.volatile === true || region.used !== undefined),
  )
  for (const { slot, words, used, volatile = false } of special.sort((a, b) => a.slot - b.slot)) {
    if (start + slot > from) spans.push({ from, to: start + slot })
    from = start + slot + words
    if (!volatile) spans.push({ from: start + slot, to: from, used: used! })
  }
  if (end > from) spans.push({ from, to: end })
  return spans
}
