import { expect, test } from 'vitest'
import { substitute } from './substitute.js'

const axes = { delivery: 'idt', ist: false, vector: 32n }
const never = (): never => {
  throw new Error('every axis is known')
}

test('a text that is nothing but a reference takes the value with its type', () => {
  const data = { options: { ist: `$\{ist}` }, list: [`$\{vector}`, `$\{ delivery }`], untouched: [1n, null, true] }
  expect(substitute(data, axes, [], never)).toEqual({
    options: { ist: false },
    list: [32n, 'idt'],
    untouched: [1n, null, true],
  })
})

test('inside a longer text the value is written out', () => {
  expect(substitute(`flat-$\{delivery}/$\{vector}`, axes, [], never)).toBe('flat-idt/32')
})

test('an unknown axis is told with its path and the nearest name, once for each use', () => {
  const seen: unknown[] = []
  substitute({ a: [{ b: `x $\{delivry} y` }] }, axes, ['machine'], (problem) => seen.push(problem))
  expect(seen).toEqual([
    {
      path: ['machine', 'a', 0, 'b'],
      message: `"$\{delivry}" names no axis of the matrix`,
      hint: 'did you mean "delivery"?',
    },
  ])
})

test('a text does not grow without end', () => {
  const seen: { message: string }[] = []
  const text = `$\{a}`.repeat(1000)
  expect(substitute({ text }, { a: 'x'.repeat(1000) }, [], (problem) => seen.push(problem))).toEqual({ text })
  expect(seen.map(({ message }) => message)).toEqual(['this text grows too long'])
})
