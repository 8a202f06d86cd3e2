import { describe, expect, test } from 'vitest'
import { evaluate, parseQuantity } from './quantity.js'

const labels = new Map([
  ['entry', 0xffff_8000_0000_1000n],
  ['stack.end', 0x8000n],
])
const value = (input: unknown): bigint => evaluate(parseQuantity(input), labels)

describe('a quantity', () => {
  test.each([
    [5n, 5n],
    ['0x7fff_0000', 0x7fff0000n],
    ['1_000', 1000n],
    ['0b101', 5n],
    ['0o17', 15n],
    ['entry', 0xffff_8000_0000_1000n],
    ['entry+8', 0xffff_8000_0000_1008n],
    ['entry - 0x10 + 1', 0xffff_8000_0000_0ff1n],
    ['stack.end', 0x8000n],
    ['-1', 0xffff_ffff_ffff_ffffn],
    [-1n, 0xffff_ffff_ffff_ffffn],
    ['entry + 0x7fff_ffff_f000', 0n],
  ])('%s is a number of 64 bits', (input, expected) => {
    expect(value(input)).toBe(expected)
  })

  test.each([
    ['0x', '"0x" is not a number'],
    ['12zz', '"12zz" is not a number'],
    ['1f', '"1f" is not a number'],
    [1.5, '1.5 is not a whole number'],
    [true, 'a number or a label should stand here'],
    [null, 'a number or a label should stand here'],
    ['entry+', '"entry+" is neither a number nor a label'],
    ['two words', '"two words" is neither a number nor a label'],
    ['', '"" is neither a number nor a label'],
    [1n << 64n, '18446744073709551616 has more than 64 bits'],
    [-(1n << 63n) - 1n, '-9223372036854775809 has more than 64 bits'],
  ])('%s is none', (input, message) => {
    expect(() => parseQuantity(input)).toThrow(message)
  })

  test('hexadecimal digits without 0x are recognised as such', () => {
    expect(() => parseQuantity('1fh')).toThrowError(expect.objectContaining({ hint: 'hexadecimal is written 0x1f' }))
  })

  test('an unknown label is told with the nearest one', () => {
    expect(() => value('entyr')).toThrowError(
      expect.objectContaining({ message: 'unknown label "entyr"', hint: 'did you mean "entry"?' }),
    )
  })
})
