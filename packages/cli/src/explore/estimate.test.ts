import { describe, expect, test } from 'vitest'
import { Estimate } from './estimate.js'

const at = (states: number, events: number, seconds: number) => ({ states, passed: 0, events, seconds })

describe('how long a search still takes', () => {
  test('nothing is guessed before two layers are done', () => {
    const estimate = new Estimate(3)
    for (const sample of [at(1, 0, 0.1), at(10, 1, 0.2)]) estimate.note(sample)
    expect(estimate.left(at(10, 1, 0.2))).toBeNull()
  })

  test('layers grow as the last one did', () => {
    const estimate = new Estimate(3)
    for (const sample of [at(0, 0, 0), at(10, 1, 1), at(110, 2, 11)]) estimate.note(sample)
    // 10, then 100, then 1 000, then 10 000 states at ten a second.
    expect(estimate.left(at(110, 2, 11))).toBeCloseTo(1100)
  })
})
