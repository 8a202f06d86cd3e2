const EMPTY = 0
const FIRST_SLOTS = 1 << 12
/** Of the slots, how many may be taken: open addressing stays short up to here. */
const MOST_LOAD = 0.6
const WORDS_A_SLOT = 3

/** What {@link VisitedStates.visit} found. */
export type Visit = 'new' | 'closer' | 'known'

/**
 * The states that a depth-first search has met, as 64-bit hashes in typed arrays, with the rank at which each was met
 * first. Open addressing with linear probing; doubles when it fills up. 12 bytes a slot, 20 to 40 bytes a state.
 */
export class VisitedStates {
  #lo = new Int32Array(FIRST_SLOTS)
  #hi = new Int32Array(FIRST_SLOTS)
  #rank = new Int32Array(FIRST_SLOTS)
  #mask = FIRST_SLOTS - 1
  #room = Math.floor(FIRST_SLOTS * MOST_LOAD)
  size = 0

  get bytes(): number {
    return this.#lo.length * 4 * WORDS_A_SLOT
  }

  /**
   * Remembers a state by its hash: new, met before, or known. Ranks have two parts, `rank >> shift` and the rest: a state is
   * known only where neither part is higher than when it was met before. One where one part is lower, the other higher, is met anew with the new rank, so that nothing
   * is missed, at the price of going there again.
   */
  visit(lo: number, hi: number, rank: number, shift: number): Visit {
    const slot = this.#find(lo, hi)
    if (this.#isEmpty(slot)) {
      this.#insert(slot, lo, hi, rank)
      return 'new'
    }
    const before = this.#rank[slot]!
    const mask = (1 << shift) - 1
    if (before >> shift <= rank >> shift && (before & mask) <= (rank & mask)) return 'known'
    this.#rank[slot] = rank
    return 'closer'
  }

  clear(): void {
    this.#lo.fill(0)
    this.#hi.fill(0)
    this.size = 0
  }

  /** Both halves zero mark an empty slot; the one hash that is so counts as its neighbour. */
  #find(lo: number, hi: number): number {
    const low = lo === EMPTY && hi === EMPTY ? 1 : lo
    const mask = this.#mask
    let slot = (Math.imul(low, 0x9e3779b1) ^ (hi >>> 7)) & mask
    while (!(this.#lo[slot] === low && this.#hi[slot] === hi) && !this.#isEmpty(slot)) slot = (slot + 1) & mask
    return slot
  }

  #isEmpty(slot: number): boolean {
    return this.#lo[slot] === EMPTY && this.#hi[slot] === EMPTY
  }

  #insert(slot: number, lo: number, hi: number, rank: number): void {
    this.#lo[slot] = lo === EMPTY && hi === EMPTY ? 1 : lo
    this.#hi[slot] = hi
    this.#rank[slot] = rank
    this.size++
    if (this.size > this.#room) this.#grow()
  }

  #grow(): void {
    const [los, his, ranks] = [this.#lo, this.#hi, this.#rank]
    const slots = los.length * 2
    this.#lo = new Int32Array(slots)
    this.#hi = new Int32Array(slots)
    this.#rank = new Int32Array(slots)
    this.#mask = slots - 1
    this.#room = Math.floor(slots * MOST_LOAD)
    for (let i = 0; i < los.length; i++) {
      const [lo, hi] = [los[i]!, his[i]!]
      if (lo === EMPTY && hi === EMPTY) continue
      const slot = this.#find(lo, hi)
      this.#lo[slot] = lo
      this.#hi[slot] = hi
      this.#rank[slot] = ranks[i]!
    }
  }
}
