import { expect, test } from 'vitest'
import { cellName, expand, meets } from './matrix.js'

const matrix = { delivery: ['idt', 'fred'], ist: [true, false] }

test('a matrix has every combination, the last axis running fastest', () => {
  expect(expand(matrix, []).map(cellName)).toEqual([
    'idt, ist: true',
    'idt, ist: false',
    'fred, ist: true',
    'fred, ist: false',
  ])
})

test('an exclusion removes every cell that meets all of it', () => {
  expect(expand(matrix, [{ delivery: ['fred'], ist: [false] }]).map(cellName)).toEqual([
    'idt, ist: true',
    'idt, ist: false',
    'fred, ist: true',
  ])
  expect(expand(matrix, [{ ist: [true, false] }])).toEqual([])
})

test('without axes there is one cell, without a name', () => {
  expect(expand({}, []).map(cellName)).toEqual([''])
})

test('a condition is met by any of the values, on every axis that it names', () => {
  const cell = { delivery: 'idt', level: 2n }
  expect(meets(cell, {})).toBe(true)
  expect(meets(cell, { delivery: ['fred', 'idt'] })).toBe(true)
  expect(meets(cell, { delivery: ['idt'], level: [3n] })).toBe(false)
  expect(meets(cell, { level: ['2'] })).toBe(false)
})
