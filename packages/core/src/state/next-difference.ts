/**
 * Index of the first word, from `from` on, in which two states differ; `to` for none. States of a search differ in a few words
 * of some thousand, so that eight are looked at at once.
 */
export function nextDifference(a: Int32Array, b: Int32Array, from: number, to: number): number {
  let i = from
  for (; i + 8 <= to; i += 8) {
    const some =
      (a[i]! ^ b[i]!) |
      (a[i + 1]! ^ b[i + 1]!) |
      (a[i + 2]! ^ b[i + 2]!) |
      (a[i + 3]! ^ b[i + 3]!) |
      (a[i + 4]! ^ b[i + 4]!) |
      (a[i + 5]! ^ b[i + 5]!) |
      (a[i + 6]! ^ b[i + 6]!) |
      (a[i + 7]! ^ b[i + 7]!)
    if (some !== 0) break
  }
  while (i < to && a[i] === b[i]) i++
  return i
}
