import { distance } from './distance.js'
import { RUN_BYTES, RUN_CAPACITY, RUN_TABLE, RUN_WORDS, RUNS } from './region.js'

/**
 * What one delivery writes, gathered into runs of adjacent bytes. A frame is the run that begins where RSP ends up: its
 * size comes from the stores themselves, so that no delivery mechanism needs to be known.
 */

/** Begins anew. */
export function clearRuns(words: Int32Array, ghost: number): void {
  words.fill(0, ghost + RUNS, ghost + RUN_TABLE + RUN_CAPACITY * RUN_WORDS)
}

/**
 * Adds a store of `bytes` bytes at `hi:lo` to the runs whose number is at `counter` and whose table begins at `table`. What
 * one step writes is pushed from one end to the other, so few runs are enough; further ones are dropped.
 */
export function addStore(
  words: Int32Array,
  counter: number,
  table: number,
  capacity: number,
  lo: number,
  hi: number,
  bytes: number,
): void {
  const count = words[counter]!
  for (let i = 0; i < count; i++) {
    const run = table + i * RUN_WORDS
    const length = words[run + RUN_BYTES]!
    const offset = distance(lo, hi, words[run]!, words[run + 1]!)
    if (offset === length) {
      words[run + RUN_BYTES] = length + bytes
      return
    }
    if (offset === -bytes) {
      words[run] = lo
      words[run + 1] = hi
      words[run + RUN_BYTES] = length + bytes
      return
    }
    if (offset >= 0 && offset + bytes <= length) return
  }
  if (count === capacity) return
  const run = table + count * RUN_WORDS
  words[run] = lo
  words[run + 1] = hi
  words[run + RUN_BYTES] = bytes
  words[counter] = count + 1
}

/** How many bytes were written from `hi:lo` upward without a gap. */
export function writtenFrom(words: Int32Array, ghost: number, lo: number, hi: number): number {
  let total = 0
  for (let i = 0; i < words[ghost + RUNS]!; i++) {
    const run = ghost + RUN_TABLE + i * RUN_WORDS
    const offset = distance(lo, hi, words[run]!, words[run + 1]!) + total
    const length = words[run + RUN_BYTES]!
    if (offset < 0 || offset >= length) continue
    total += length - offset
    i = -1
  }
  return total
}
