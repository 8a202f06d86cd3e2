import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VisitedStates } from './visited-states.js'

const half = fc.oneof(fc.constantFrom(0, 1, -1), fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }))

test('with two parts a state is known only where neither is higher', () => {
  const visited = new VisitedStates()
  const rank = (events: number, steps: number) => (events << 24) | steps
  expect(visited.visit(1, 2, rank(1, 10), 24)).toBe('new')
  expect(visited.visit(1, 2, rank(2, 10), 24)).toBe('known')
  expect(visited.visit(1, 2, rank(2, 9), 24)).toBe('closer')
  expect(visited.visit(1, 2, rank(1, 20), 24)).toBe('closer')
})

test('it holds what a set of pairs holds, through its growth', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(half, half), { maxLength: 9000 }), (hashes) => {
      const visited = new VisitedStates()
      const known = new Set<string>()
      for (const [lo, hi] of hashes) {
        // Both halves zero mean an empty slot inside, and share the place of 1, 0.
        const key = lo === 0 && hi === 0 ? '1 0' : `${lo} ${hi}`
        expect(visited.visit(lo, hi, 0, 24)).toBe(known.has(key) ? 'known' : 'new')
        known.add(key)
      }
      expect(visited.size).toBe(known.size)
    }),
    { numRuns: 20 },
  )
})
