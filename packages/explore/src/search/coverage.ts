import type { BoundaryCoverage } from './result.js'

const EMPTY = -1
const FIRST_SLOTS = 1 << 10

/**
 * Which boundaries a search met, and which events happened there: for each RIP a word with one bit an event, bit 0 for a
 * plain step. A table with open addressing, so that noting one costs no allocation.
 */
export class Coverage {
  #lo = new Int32Array(FIRST_SLOTS)
  #hi = new Int32Array(FIRST_SLOTS)
  #bits = new Int32Array(FIRST_SLOTS).fill(EMPTY)
  #size = 0

  /** Notes that a transition began at RIP `hi:lo`; `event` is 0 for a plain step, or the number of an event from 1. */
  note(lo: number, hi: number, event: number): void {
    let slot = this.#find(lo, hi)
    if (this.#bits[slot] === EMPTY) {
      if (this.#size * 2 >= this.#bits.length) {
        this.#grow()
        slot = this.#find(lo, hi)
      }
      this.#lo[slot] = lo
      this.#hi[slot] = hi
      this.#bits[slot] = 0
      this.#size++
    }
    this.#bits[slot] = this.#bits[slot]! | (1 << event)
  }

  /** Every boundary with its bits, three words each. */
  save(): Int32Array {
    const saved: number[] = []
    for (let slot = 0; slot < this.#bits.length; slot++) {
      if (this.#bits[slot] !== EMPTY) saved.push(this.#lo[slot]!, this.#hi[slot]!, this.#bits[slot]!)
    }
    return Int32Array.from(saved)
  }

  /** Adds what was saved. */
  load(saved: Int32Array): void {
    for (let at = 0; at < saved.length; at += 3) {
      for (let bit = 0; bit < 31; bit++) {
        if ((saved[at + 2]! & (1 << bit)) !== 0) this.note(saved[at]!, saved[at + 1]!, bit)
      }
    }
  }

  /** Boundaries by rising address. */
  list(events: readonly string[], nameOf: (address: bigint) => string): BoundaryCoverage[] {
    const rows: BoundaryCoverage[] = []
    for (let slot = 0; slot < this.#bits.length; slot++) {
      const bits = this.#bits[slot]!
      if (bits === EMPTY) continue
      const rip = (BigInt(this.#hi[slot]! >>> 0) << 32n) | BigInt(this.#lo[slot]! >>> 0)
      rows.push({
        rip,
        label: nameOf(rip),
        stepped: (bits & 1) !== 0,
        events: events.filter((_, n) => (bits & (2 << n)) !== 0),
      })
    }
    return rows.sort((a, b) => (a.rip < b.rip ? -1 : 1))
  }

  #find(lo: number, hi: number): number {
    const mask = this.#bits.length - 1
    let slot = (Math.imul(lo ^ Math.imul(hi, 0x85ebca6b), 0x9e3779b1) >>> 8) & mask
    while (this.#bits[slot] !== EMPTY && !(this.#lo[slot] === lo && this.#hi[slot] === hi)) slot = (slot + 1) & mask
    return slot
  }

  #grow(): void {
    const [los, his, bits] = [this.#lo, this.#hi, this.#bits]
    const slots = bits.length * 2
    this.#lo = new Int32Array(slots)
    this.#hi = new Int32Array(slots)
    this.#bits = new Int32Array(slots).fill(EMPTY)
    for (let i = 0; i < bits.length; i++) {
      if (bits[i] === EMPTY) continue
      const slot = this.#find(los[i]!, his[i]!)
      this.#lo[slot] = los[i]!
      this.#hi[slot] = his[i]!
      this.#bits[slot] = bits[i]!
    }
  }
}
