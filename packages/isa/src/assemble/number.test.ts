import { expect, test } from 'vitest'
import { characterValue, numberValue } from './number.js'
import { tokenize } from './token.js'

const token = (text: string) => tokenize(text, 0, { line: 1, column: 1 })[0]!

test.each<[string, bigint]>([
  ['10', 10n],
  ['0x1F', 0x1fn],
  ['1fh', 0x1fn],
  ['0b1h', 0xb1n],
  ['0b101', 5n],
  ['101b', 5n],
  ['0o17', 15n],
  ['17q', 15n],
  ['9d', 9n],
  ['1_000_000', 1000000n],
  ['0xffff_ffff_ffff_ffff', 0xffffffffffffffffn],
])('%s is %s', (text, value) => {
  expect(numberValue(token(text))).toBe(value)
})

test('what is no number', () => {
  expect(() => numberValue(token('12z'))).toThrow('"12z" is not a number')
  expect(() => numberValue(token('1.5'))).toThrow('"1.5" is not a number')
  expect(() => numberValue(token('12ab'))).toThrow(expect.objectContaining({ hint: 'hexadecimal is written 0x12ab' }))
  expect(() => numberValue(token('0x10000000000000000'))).toThrow('more than 64 bits')
  expect(() => numberValue(token('9'.repeat(5000)))).toThrow('more than 64 bits')
})

test('characters, the first in the low byte', () => {
  expect(characterValue(token("'a'"))).toBe(0x61n)
  expect(characterValue(token("'ab'"))).toBe(0x6261n)
  expect(() => characterValue(token("''"))).toThrow('1 to 8 bytes')
  expect(() => characterValue(token("'123456789'"))).toThrow('1 to 8 bytes')
})
