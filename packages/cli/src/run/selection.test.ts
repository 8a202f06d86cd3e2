import { expect, test } from 'vitest'
import { axesOf, EVERYTHING, selectionOf, wantsCell, wantsScenario } from './selection.js'

const scenario = { name: 'NMI in the SYSCALL gap', refs: ['X7', 'A1', 'CVE-2014-9322 (BadIRET)'] }
const wants = (...filters: string[]): boolean => wantsScenario(selectionOf(filters, []), scenario)

test('a filter is a part of the name, in any case', () => {
  expect(wants('syscall')).toBe(true)
  expect(wants('SYSENTER')).toBe(false)
  expect(wants('sysenter', 'gap')).toBe(true)
  expect(wantsScenario(EVERYTHING, scenario)).toBe(true)
})

test('or a whole word of a reference: X7 is not X71', () => {
  expect(wants('X7')).toBe(true)
  expect(wants('x7')).toBe(true)
  expect(wants('X')).toBe(false)
  expect(wantsScenario(selectionOf(['X7'], []), { name: 'n', refs: ['X71'] })).toBe(false)
  expect(wants('CVE-2014-9322')).toBe(true)
  expect(wants('2014-9322')).toBe(false)
  expect(wants('(BadIRET)')).toBe(true)
  expect(wants('.*')).toBe(false)
})

test('cells by values of their axes: several of one axis are any, of several axes all', () => {
  const axes = { delivery: 'fred', ist: true, level: 2n }
  const wantsIt = (...choices: string[]): boolean => wantsCell(selectionOf([], choices), { axes })
  expect(wantsIt('delivery=fred')).toBe(true)
  expect(wantsIt('delivery=idt')).toBe(false)
  expect(wantsIt('delivery=idt', 'delivery=fred')).toBe(true)
  expect(wantsIt('delivery=fred', 'ist=false')).toBe(false)
  expect(wantsIt('ist=true', 'level=2')).toBe(true)
  expect(wantsIt('toString=x')).toBe(false)
  expect(() => wantsIt('fred')).toThrow('"fred" selects no cell')
})

test('the values of axes, for hints', () => {
  expect(axesOf([{ axes: { a: 1n, b: 'x' } }, { axes: { a: 2n, b: 'x' } }])).toEqual({ a: ['1', '2'], b: ['x'] })
})
