import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextDifference } from './next-difference.js'

test('finds every difference of two states, and none where there is none', () => {
  const places = fc.uniqueArray(fc.nat(39), { maxLength: 6 })
  fc.assert(
    fc.property(places, fc.nat(20), fc.integer({ min: 20, max: 40 }), (different, from, to) => {
      const a = Int32Array.from({ length: 40 }, (_, i) => i)
      const b = a.slice()
      for (const i of different) b[i] = -1
      const found: number[] = []
      for (let i = nextDifference(a, b, from, to); i < to; i = nextDifference(a, b, i + 1, to)) found.push(i)
      expect(found).toEqual(different.filter((i) => i >= from && i < to).sort((x, y) => x - y))
    }),
  )
})
