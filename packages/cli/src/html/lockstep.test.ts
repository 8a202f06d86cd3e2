import { describe, expect, test } from 'vitest'
import type { Row } from '../compare/align.js'
import { lockstep } from './lockstep.js'

const milestone = (step: number | null): Row['cells'][number] =>
  step === null ? null : { key: '', label: '', step, lines: [], plain: true, minor: false }
const row = (...steps: readonly (number | null)[]): Row => ({
  label: '',
  cells: steps.map(milestone),
  skipped: steps.map(() => 0),
})
const places = (rows: readonly Row[], ...trails: readonly (readonly number[])[]) =>
  lockstep(rows, trails).map(({ at }) => at)

describe('lockstep', () => {
  test('what compare puts side by side stays side by side; what lies between goes along in order', () => {
    expect(places([row(1, 1), row(4, 3)], [1, 2, 3, 4], [1, 2, 3])).toEqual([
      [0, 0],
      [1, 1],
      [2, null],
      [3, 2],
    ])
  })

  test('a row of one run alone, and what comes after the last row', () => {
    expect(places([row(1, null)], [1, 2], [1, 2, 3])).toEqual([
      [0, null],
      [1, 0],
      [null, 1],
      [null, 2],
    ])
  })

  test('every step of every run comes exactly once, in order, with steps missing in the middle', () => {
    const trails = [
      [1, 2, 3, 90, 91, 92],
      [1, 2, 60, 61],
    ]
    const at = places([row(2, 2), row(50, 40), row(91, 60)], ...trails)
    trails.forEach((trail, column) => {
      expect(at.flatMap((cells) => cells[column] ?? [])).toEqual(trail.map((_, n) => n))
    })
  })
})
