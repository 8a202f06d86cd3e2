import type { Row } from '../compare/align.js'

/** A row of the page before it is filled: a place in each column's list of steps, and the comparison's row where it is one. */
export interface LockstepRow {
  readonly at: readonly (number | null)[]
  readonly row: Row | null
}

/**
 * Every step of several runs in rows: those that `compare` puts side by side stay side by side, and what lies between goes
 * along with what lies between in the other runs, in order.
 *
 * @param rows the comparison's rows, in order
 * @param trails for each run the numbers of its steps, ascending
 */
export function lockstep(rows: readonly Row[], trails: readonly (readonly number[])[]): LockstepRow[] {
  const next = trails.map(() => 0)
  const result: LockstepRow[] = []
  /** Lets the runs go on together, each up to its limit. */
  const goOn = (limits: readonly number[]): void => {
    while (next.some((place, n) => place < limits[n]!)) {
      result.push({ at: next.map((place, n) => (place < limits[n]! ? place : null)), row: null })
      limits.forEach((limit, n) => {
        if (next[n]! < limit) next[n]! += 1
      })
    }
  }
  for (const row of rows) {
    const places = row.cells.map((cell, n) => (cell === null ? -1 : trails[n]!.indexOf(cell.step, next[n])))
    goOn(places.map((place, n) => (place < 0 ? next[n]! : place)))
    if (places.every((place) => place < 0)) continue
    result.push({ at: places.map((place) => (place < 0 ? null : place)), row })
    places.forEach((place, n) => {
      if (place >= 0) next[n] = place + 1
    })
  }
  goOn(trails.map(({ length }) => length))
  return result
}
