import type { Visit } from './visited-states.js'

const FIRST_SLOTS = 1 << 12
/** Of the slots, how many may be taken. */
const MOST_LOAD = 0.6
/** Words of an entry: hash, rank, and how it was reached. */
export const ENTRY_WORDS = 6
const HI = 1
const RANK = 2
const PARENT_LO = 3
const PARENT_HI = 4
const MADE = 5

/** `made` of the state that a search begins with. */
export const BEGINNING = -1

/**
 * The states that a breadth-first search has met, as 64-bit hashes, each with its rank and how it was reached: the hash of
 * the state before it and what was done there. 24 bytes an entry and 4 bytes a slot of an open-addressing table, 35 to 60
 * bytes a state.
 *
 * Of several ways of one rank the one counts that did the smaller thing, then the one from the smaller hash, so that what is
 * kept depends on the set of ways and not on their order: searches in several threads keep the same.
 *
 * Two different states with one hash would be taken for one, and what only the second leads to would be missed. With n
 * states that happens at all with a probability of about n² / 2⁶⁵: 3·10⁻⁸ for a million states, 3·10⁻⁴ for a hundred
 * million. A search with `verify` compares whole states and proves that it did not happen.
 */
export class StateTable {
  #slots = new Int32Array(FIRST_SLOTS)
  #entries = new Int32Array(FIRST_SLOTS * ENTRY_WORDS)
  #mask = FIRST_SLOTS - 1
  #room = Math.floor(FIRST_SLOTS * MOST_LOAD)
  size = 0

  get bytes(): number {
    return this.#slots.byteLength + this.#entries.byteLength
  }

  /** The entries, {@link ENTRY_WORDS} each, in the order in which they were met; good until the next visit. */
  get entries(): Int32Array {
    return this.#entries.subarray(0, this.size * ENTRY_WORDS)
  }

  /** Remembers a state: new, met before but at a higher rank (which is lowered), or known. */
  visit(lo: number, hi: number, rank: number, parentLo: number, parentHi: number, made: number): Visit {
    const slot = this.#find(lo, hi)
    const number = this.#slots[slot]!
    if (number === 0) {
      this.#insert(slot, lo, hi, rank, parentLo, parentHi, made)
      return 'new'
    }
    const at = (number - 1) * ENTRY_WORDS
    const entries = this.#entries
    const before = entries[at + RANK]!
    if (before < rank) return 'known'
    if (before > rank || isSmaller(made, parentLo, parentHi, entries, at)) {
      entries[at + RANK] = rank
      entries[at + PARENT_LO] = parentLo
      entries[at + PARENT_HI] = parentHi
      entries[at + MADE] = made
    }
    return before > rank ? 'closer' : 'known'
  }

  /** The rank of a state; -1 for one that was not met. */
  rankOf(lo: number, hi: number): number {
    const number = this.#slots[this.#find(lo, hi)]!
    return number === 0 ? -1 : this.#entries[(number - 1) * ENTRY_WORDS + RANK]!
  }

  /** How a state was reached; null for one that was not met. */
  wayTo(lo: number, hi: number): { readonly lo: number; readonly hi: number; readonly made: number } | null {
    const number = this.#slots[this.#find(lo, hi)]!
    if (number === 0) return null
    const at = (number - 1) * ENTRY_WORDS
    return { lo: this.#entries[at + PARENT_LO]!, hi: this.#entries[at + PARENT_HI]!, made: this.#entries[at + MADE]! }
  }

  /** Takes over entries of another table. */
  addAll(entries: Int32Array): void {
    for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
      this.visit(
        entries[at]!,
        entries[at + HI]!,
        entries[at + RANK]!,
        entries[at + PARENT_LO]!,
        entries[at + PARENT_HI]!,
        entries[at + MADE]!,
      )
    }
  }

  #find(lo: number, hi: number): number {
    const mask = this.#mask
    const entries = this.#entries
    let slot = (Math.imul(lo, 0x9e3779b1) ^ (hi >>> 7)) & mask
    for (;;) {
      const number = this.#slots[slot]!
      if (number === 0) return slot
      const at = (number - 1) * ENTRY_WORDS
      if (entries[at] === lo && entries[at + HI] === hi) return slot
      slot = (slot + 1) & mask
    }
  }

  #insert(slot: number, lo: number, hi: number, rank: number, parentLo: number, parentHi: number, made: number): void {
    const at = this.size * ENTRY_WORDS
    if (at === this.#entries.length) this.#entries = doubled(this.#entries)
    const entries = this.#entries
    entries[at] = lo
    entries[at + HI] = hi
    entries[at + RANK] = rank
    entries[at + PARENT_LO] = parentLo
    entries[at + PARENT_HI] = parentHi
    entries[at + MADE] = made
    this.#slots[slot] = ++this.size
    if (this.size > this.#room) this.#grow()
  }

  #grow(): void {
    const slots = this.#slots.length * 2
    this.#slots = new Int32Array(slots)
    this.#mask = slots - 1
    this.#room = Math.floor(slots * MOST_LOAD)
    for (let n = 0; n < this.size; n++) {
      const at = n * ENTRY_WORDS
      this.#slots[this.#find(this.#entries[at]!, this.#entries[at + HI]!)] = n + 1
    }
  }
}

function isSmaller(made: number, parentLo: number, parentHi: number, entries: Int32Array, at: number): boolean {
  const known = entries[at + MADE]!
  if (made !== known) return made < known
  const knownLo = entries[at + PARENT_LO]!
  return parentLo !== knownLo ? parentLo < knownLo : parentHi < entries[at + PARENT_HI]!
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
