import { expect, test } from 'vitest'
import { tokenize } from './token.js'

const texts = (line: string) => tokenize(line, 0, { line: 1, column: 1 }).map(({ text }) => text)

test('words, numbers, strings and marks', () => {
  expect(texts(".loop: mov rax, [fs:0x28+'a'<<2]")).toEqual([
    ...['.loop', ':', 'mov', 'rax', ',', '[', 'fs', ':', '0x28', '+', 'a', '<<', '2', ']'],
    '',
  ])
})

test('comments of three kinds, but not in quotes', () => {
  expect(texts('nop ; a')).toEqual(['nop', ''])
  expect(texts('nop # a')).toEqual(['nop', ''])
  expect(texts('nop // a')).toEqual(['nop', ''])
  expect(texts('db ";#//" ; a')).toEqual(['db', ';#//', ''])
})

test('places count from the origin', () => {
  const [, word] = tokenize('  mov rax', 3, { file: 'x.asm', line: 10, column: 5 })
  expect(word?.place).toEqual({ file: 'x.asm', line: 13, column: 11, length: 3 })
})

test('what no token begins with', () => {
  expect(() => tokenize('mov \u0001', 0, { line: 1, column: 1 })).toThrow('"U+0001" means nothing here')
  expect(() => tokenize('mov é', 0, { line: 1, column: 1 })).toThrow('"é" means nothing here')
  expect(() => tokenize('db "abc', 0, { line: 1, column: 1 })).toThrow('the quote is not closed')
})
