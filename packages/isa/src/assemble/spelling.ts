/** Whether a word that is near is one at all; asked only of those that are. */
export type Accept = (candidate: string) => boolean

/**
 * Of `candidates` the one that `word` was probably meant to be: the nearest within a third of its length, or undefined.
 * Letter case does not count.
 */
export function nearest(word: string, candidates: Iterable<string>, accept?: Accept): string | undefined {
  const wanted = word.toLowerCase()
  let limit = Math.max(1, Math.floor(wanted.length / 3))
  let best: string | undefined
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) > limit) continue
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance > limit || (distance === limit && best !== undefined)) continue
    if (accept !== undefined && !accept(candidate)) continue
    limit = distance
    best = candidate
    if (distance === 0) break
  }
  return best
}

/** `did you mean "syscall"?`, or undefined where nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>, accept?: Accept): string | undefined {
  const found = nearest(word, candidates, accept)
  return found === undefined ? undefined : `did you mean "${found}"?`
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + change)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
