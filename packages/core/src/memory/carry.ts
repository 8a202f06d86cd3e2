/**
 * High half of an address after `delta` bytes were added to its low half `lo`, giving `sum`. Addresses are 64 bits in two
 * signed halves; `delta` is any 32-bit number.
 */
export function carried(lo: number, hi: number, sum: number, delta: number): number {
  if (delta >= 0) return sum >>> 0 < lo >>> 0 ? (hi + 1) | 0 : hi
  return sum >>> 0 > lo >>> 0 ? (hi - 1) | 0 : hi
}
