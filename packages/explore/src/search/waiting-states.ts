/** Words before a packed state: their number, its hash, and whether it has choices of both kinds. */
export const RECORD_HEADER = 3
const FIRST_WORDS = 1 << 9
/** Arrays that are kept for the next bucket instead of being left to the garbage collector: no larger, and no more. */
const MOST_SPARE_WORDS = 1 << 16
const MOST_SPARE = 32

/** Packed states with one rank, one after the other: length of the rest, hash in halves, then the state. */
export class Bucket {
  data: Int32Array
  used = 0
  count = 0

  constructor(data: Int32Array = new Int32Array(FIRST_WORDS)) {
    this.data = data
  }

  /** Adds a state of `count` words of `words`, from `from` on. */
  add(lo: number, hi: number, words: Int32Array, from: number, count: number): void {
    const at = this.#room(RECORD_HEADER + count)
    const { data } = this
    data[at] = count
    data[at + 1] = lo
    data[at + 2] = hi
    for (let i = 0; i < count; i++) data[at + RECORD_HEADER + i] = words[from + i]!
  }

  /** Adds a header and `count` words. */
  append(header: readonly number[], words: Int32Array, count: number): void {
    const at = this.#room(header.length + count)
    this.data.set(header, at)
    for (let i = 0; i < count; i++) this.data[at + header.length + i] = words[i]!
  }

  /** Makes room for one more of so many words; returns where. */
  #room(count: number): number {
    const at = this.used
    const end = at + count
    if (end > this.data.length) {
      const larger = new Int32Array(Math.max(this.data.length * 2, end))
      larger.set(this.data.subarray(0, at))
      this.data = larger
    }
    this.used = end
    this.count++
    return at
  }
}

/** Packed states by the number of steps that led to them, as data. */
export type Buckets = readonly (readonly [steps: number, records: Int32Array])[]

/** States that wait to be expanded, by the number of steps that led to them. */
export class WaitingStates {
  readonly #bySteps = new Map<number, Bucket>()
  readonly #spare: Int32Array[] = []
  /** Words that they take. */
  words = 0
  last = -1
  count = 0

  /** Adds a state of `count` words of `words`. */
  add(steps: number, lo: number, hi: number, words: Int32Array, from: number, count: number): void {
    let bucket = this.#bySteps.get(steps)
    if (bucket === undefined) {
      bucket = new Bucket(this.#spare.pop())
      this.#bySteps.set(steps, bucket)
    }
    bucket.add(lo, hi, words, from, count)
    if (steps > this.last) this.last = steps
    this.count++
    this.words += RECORD_HEADER + count
  }

  /** Takes the states of a rank out; to be given back by {@link release}. */
  take(steps: number): Bucket | null {
    const bucket = this.#bySteps.get(steps)
    if (bucket === undefined) return null
    this.#bySteps.delete(steps)
    this.count -= bucket.count
    this.words -= bucket.used
    return bucket
  }

  release({ data }: Bucket): void {
    if (data.length <= MOST_SPARE_WORDS && this.#spare.length < MOST_SPARE) this.#spare.push(data)
  }

  /** The fewest steps for which states wait, from `from` on; -1 for none. */
  next(from: number): number {
    if (this.count === 0) return -1
    for (let steps = from; steps <= this.last; steps++) if (this.#bySteps.has(steps)) return steps
    return -1
  }

  /** All of them, by steps. */
  save(): Buckets {
    return [...this.#bySteps]
      .sort(([a], [b]) => a - b)
      .map(([steps, { data, used }]) => [steps, data.slice(0, used)] as const)
  }
}
