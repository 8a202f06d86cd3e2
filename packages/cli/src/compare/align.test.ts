import fc from 'fast-check'
import { expect, test } from 'vitest'
import { align, common } from './align.js'
import type { Milestone } from './milestone.js'

const stones = (keys: string, minor = ''): Milestone[] =>
  [...keys].map((key, n) => ({ key, label: key, step: 2 * n + 1, lines: [], plain: false, minor: minor.includes(key) }))

const table = (...columns: readonly (readonly Milestone[])[]): string[] =>
  align(columns).map(({ cells }) => cells.map((cell) => cell?.key ?? '-').join(''))

test('equal keys stand side by side, what one run alone has stands alone', () => {
  expect(table(stones('abcd'), stones('axcd'))).toEqual(['aa', 'b-', '-x', 'cc', 'dd'])
  expect(table(stones('ab'), stones(''))).toEqual(['a-', 'b-'])
  expect(table(stones('ac'), stones('abc'), stones('bc'))).toEqual(['aa-', '-bb', 'ccc'])
})

test('a minor milestone that only one run has is folded into what is skipped', () => {
  const rows = align([stones('amb', 'm'), stones('ab')])
  expect(rows.map(({ label, skipped }) => [label, skipped])).toEqual([
    ['a', [0, 0]],
    ['b', [3, 1]],
  ])
  expect(table(stones('amb', 'm'), stones('amb', 'm'))).toEqual(['aa', 'mm', 'bb'])
})

test('a common subsequence is in order, and no shorter than any greedy one', () => {
  const keys = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 })
  fc.assert(
    fc.property(keys, keys, (a, b) => {
      const pairs = common(a, b)
      pairs.forEach(([i, j], n) => {
        expect(a[i]).toBe(b[j])
        if (n > 0) expect(pairs[n - 1]![0] < i && pairs[n - 1]![1] < j).toBe(true)
      })
      let from = 0
      let greedy = 0
      for (const key of a) {
        const at = b.indexOf(key, from)
        if (at < 0) continue
        from = at + 1
        greedy++
      }
      expect(pairs.length).toBeGreaterThanOrEqual(greedy)
    }),
  )
})
