import { distance } from 'fastest-levenshtein'

/**
 * Of `candidates` the one that `word` was probably meant to be. One letter may differ in a short word, two in one of four
 * letters and more, a third in a long one.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase()
  let best: string | undefined
  let least = (wanted.length < 4 ? 1 : Math.max(2, Math.floor(wanted.length / 3))) + 1
  for (const candidate of candidates) {
    const other = candidate.toLowerCase()
    const far = isNear(wanted, other) ? 1 : distance(wanted, other)
    if (far < least) {
      least = far
      best = candidate
    }
  }
  return best
}

/** The beginning of a word, and a word in which two neighbours changed places, are as near as one wrong letter. */
function isNear(wanted: string, other: string): boolean {
  if (wanted.length > 1 && other.startsWith(wanted)) return true
  if (wanted.length !== other.length) return false
  const first = [...wanted].findIndex((letter, i) => letter !== other[i])
  return (
    first >= 0 &&
    wanted[first] === other[first + 1] &&
    wanted[first + 1] === other[first] &&
    wanted.slice(first + 2) === other.slice(first + 2)
  )
}

/** Names that a hint lists. */
const MOST = 16

/**
 * The hint for a word that is none of `candidates`: the one that was probably meant, else all of them, else nothing.
 *
 * @param what what the candidates are, in the plural: `axes`, `keys`
 */
export function suggestion(word: string, candidates: Iterable<string>, what = 'known'): string | undefined {
  const all = [...candidates]
  const near = nearest(word, all)
  if (near !== undefined) return `did you mean "${near}"?`
  if (all.length === 0) return undefined
  const more = all.length > MOST + 1 ? `, and ${all.length - MOST} more` : ''
  return `${what}: ${all.slice(0, more === '' ? all.length : MOST).join(', ')}${more}`
}
