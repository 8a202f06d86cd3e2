import type { Milestone } from './milestone.js'

/** One row of the comparison: what each run has there, and how many steps went by unseen before it. */
export interface Row {
  readonly label: string
  readonly cells: readonly (Milestone | null)[]
  /** Steps since the milestone before, by column. */
  readonly skipped: readonly number[]
}

/**
 * Puts the milestones of several runs into rows, equal keys side by side. Routines that only one run has are folded
 * into what is skipped.
 *
 * @param totals how many steps each run has
 */
export function align(columns: readonly (readonly Milestone[])[]): Row[] {
  let rows: (Milestone | null)[][] = (columns[0] ?? []).map((one) => [one])
  columns.slice(1).forEach((column, n) => {
    rows = merge(rows, column, n + 1)
  })
  const kept = rows.filter((row) => !(row.includes(null) && row.every((cell) => cell === null || cell.minor)))
  const last = columns.map(() => 0)
  return kept.map((cells) => {
    const skipped = cells.map((cell, n) => {
      if (cell === null) return 0
      const count = cell.step - last[n]! - 1
      last[n] = cell.step
      return count
    })
    return { label: cells.find((cell) => cell !== null)?.label ?? '', cells, skipped }
  })
}

/** Most rows that are aligned by looking for the longest common sequence; beyond, by order alone. */
const MOST = 3000

function merge(
  rows: readonly (Milestone | null)[][],
  column: readonly Milestone[],
  width: number,
): (Milestone | null)[][] {
  const empty = (): null[] => Array.from({ length: width }, () => null)
  const pairs = common(
    rows.map((row) => row.find((cell) => cell !== null)?.key ?? ''),
    column.map(({ key }) => key),
  )
  const merged: (Milestone | null)[][] = []
  let row = 0
  let next = 0
  for (const [i, j] of [...pairs, [rows.length, column.length] as const]) {
    while (row < i) merged.push([...rows[row++]!, null])
    while (next < j) merged.push([...empty(), column[next++]!])
    if (i < rows.length) merged.push([...rows[row++]!, column[next++]!])
  }
  return merged
}

/** Index pairs of a longest common subsequence of two lists of keys. */
export function common(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  if (a.length > MOST || b.length > MOST) {
    return a.flatMap((key, i) => (b[i] === key ? [[i, i] as const] : []))
  }
  const width = b.length + 1
  const lengths = new Uint16Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[i] === b[j]
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!)
    }
  }
  const pairs: (readonly [number, number])[] = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) pairs.push([i++, j++])
    else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) i++
    else j++
  }
  return pairs
}
