import { expect, test } from 'vitest'
import { satisfies } from './range.js'

test.each([
  ['0.1.0', '^0.1.0', true],
  ['0.1.7', '^0.1.0', true],
  ['0.2.0', '^0.1.0', false],
  ['0.0.0', '^0.0.0', true],
  ['0.0.1', '^0.0.0', false],
  ['1.9.0', '^1.2.0', true],
  ['2.0.0', '^1.2.0', false],
  ['0.4.0', '>=0.1.0 <1.0.0', true],
  ['1.0.0', '>=0.1.0 <1.0.0', false],
  ['v20.20.2', '>=20.19', true],
  ['v20.18.0', '>=20.19', false],
  ['1.2.3', '1.2.3', true],
  ['1.2.3', 'workspace:^', true],
  ['1.2.3', 'latest', false],
])('%s and %s', (version, range, expected) => {
  expect(satisfies(version, range)).toBe(expected)
})
