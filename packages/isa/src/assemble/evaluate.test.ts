import { describe, expect, test } from 'vitest'
import { Cursor } from './cursor.js'
import { addressWeight, dependsOnLayout, evaluate } from './evaluate.js'
import { parseExpression } from './expression.js'
import { SymbolTable } from './symbols.js'
import { tokenize } from './token.js'

const scope = { parent: '', numeric: new Map<string, number>() }
const parse = (text: string) => parseExpression(new Cursor(tokenize(text, 0, { line: 1, column: 1 })), scope)

const symbols = new SymbolTable({ given: 0x100n })
const place = { line: 1, column: 1 }
symbols.defineLabel('start', place).address = 0x10n
symbols.defineLabel('end', place).address = 0x30n
symbols.defineConstant('size', parse('end - start'), place)

const value = (text: string) => evaluate(parse(text), { here: 0x20n, origin: 0x8n, symbols })

describe('expressions', () => {
  test.each<[string, bigint]>([
    ['1 + 2 * 3', 7n],
    ['(1 + 2) * 3', 9n],
    ['1 << 4 | 1', 17n],
    ['0xff & ~0xf', 0xf0n],
    ['6 ^ 3', 5n],
    ['-8 >> 1', -4n],
    ['17 / 5 + 17 % 5', 5n],
    ['!0 + !5', 1n],
    ['- -3', 3n],
    ["'a' + 1", 0x62n],
    ['$ - $$', 0x18n],
    ['end - start', 0x20n],
    ['size * 2', 0x40n],
    ['given + 1', 0x101n],
  ])('%s is %s', (text, expected) => {
    expect(value(text)).toBe(expected)
  })

  test('what has no value', () => {
    expect(() => value('1 / 0')).toThrow('divides by zero')
    expect(() => value('1 << 65')).toThrow('a shift goes from 0 to 64')
    expect(() => value('0xffffffffffffffff * 2')).toThrow('more than 64 bits')
    expect(() => value('missing')).toThrow('"missing" is no register and not defined')
    expect(() => value('rax + 1')).toThrow('a register has no value here')
    expect(() => value(`${'('.repeat(100)}1`)).toThrow('nested too deep')
    expect(() => value('1+'.repeat(1000))).toThrow('too long')
    expect(() => value('1 +')).toThrow('a value should stand here, but the line ends')
  })
})

test('addresses are counted, differences are none', () => {
  expect(
    ['start', 'start + 8', 'end - start', 'size', '5', '$', 'given'].map((text) => addressWeight(parse(text), symbols)),
  ).toEqual([1, 1, 0, 0, 0, 1, 1])
})

test('labels and $ depend on the layout, symbols from outside do not', () => {
  expect(['start', 'size', '$ + 1', 'given', '$$'].map((text) => dependsOnLayout(parse(text), symbols))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ])
})
