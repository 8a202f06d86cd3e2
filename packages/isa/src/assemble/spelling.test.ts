import { expect, test } from 'vitest'
import { didYouMean, editDistance, nearest } from './spelling.js'

test('editDistance counts a swap of neighbours as one', () => {
  expect(editDistance('iertq', 'iretq')).toBe(1)
  expect(editDistance('syscal', 'syscall')).toBe(1)
  expect(editDistance('', 'abc')).toBe(3)
  expect(editDistance('kitten', 'sitting')).toBe(3)
})

test('nearest takes the first of the nearest within a third of the length', () => {
  expect(nearest('MOX', ['mov', 'box'])).toBe('mov')
  expect(nearest('sysret', ['syscall', 'sysretq'])).toBe('sysretq')
  expect(nearest('handler', ['nothing', 'alike'])).toBeUndefined()
  expect(nearest('mov', ['mox', 'moz'], (word) => word !== 'mox')).toBe('moz')
})

test('didYouMean asks', () => {
  expect(didYouMean('syscal', ['syscall'])).toBe('did you mean "syscall"?')
  expect(didYouMean('x', [])).toBeUndefined()
})
