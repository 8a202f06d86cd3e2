/**
 * Hashes of state, as two independent 32-bit sums with one term for each word that is not zero. A term depends on the
 * word and on its place, so that terms can be added in any order, taken out again and skipped where a word is zero: most
 * of a machine's state is. For a given place both terms are bijections of the word; the two mix differently, so that
 * states that one sum confuses the other tells apart.
 */
export class HashSum {
  lo = 0
  hi = 0

  clear(): void {
    this.lo = 0
    this.hi = 0
  }

  /** Adds the words `from` to `to - 1`, each at its own index. */
  add(words: Int32Array, from: number, to: number): void {
    let { lo, hi } = this
    for (let i = from; i < to; i++) {
      const word = words[i]!
      if (word === 0) continue
      lo = (lo + lowTerm(word, i + 1)) | 0
      hi = (hi + highTerm(word, i + 1)) | 0
    }
    this.lo = lo
    this.hi = hi
  }

  /** Takes the same words out again. */
  remove(words: Int32Array, from: number, to: number): void {
    let { lo, hi } = this
    for (let i = from; i < to; i++) {
      const word = words[i]!
      if (word === 0) continue
      lo = (lo - lowTerm(word, i + 1)) | 0
      hi = (hi - highTerm(word, i + 1)) | 0
    }
    this.lo = lo
    this.hi = hi
  }
}

/** Term of a word at a place in the low sum. */
export function lowTerm(word: number, place: number): number {
  let x = Math.imul(word ^ Math.imul(place, 0x9e3779b1), 0x85ebca6b)
  x ^= x >>> 15
  x = Math.imul(x, 0xc2b2ae35)
  return x ^ (x >>> 13)
}

/** Term of a word at a place in the high sum. */
export function highTerm(word: number, place: number): number {
  let x = Math.imul((word + Math.imul(place, 0x7feb352d)) | 0, 0x846ca68b)
  x ^= x >>> 16
  x = Math.imul(x, 0x27d4eb2f)
  return x ^ (x >>> 14)
}

/** A page number or another integer below 2⁵³ as one word. */
export function foldInteger(value: number): number {
  return (value | 0) ^ Math.imul((value / 0x1_0000_0000) | 0, 0x2c1b3c6d)
}
