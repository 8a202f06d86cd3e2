import { UserError } from '@trapframe/core'
import { expect, test } from 'vitest'
import { errorFrame } from './frame.js'

const plain = (_role: unknown, text: string): string => text
const source = ['guest: |', '    mov   rsp, 0x7fff0000', '    syscal', '', 'expect: []'].join('\n')

test('file, line, column and message, then the lines before, a caret and the hint', () => {
  const place = { file: 'gap.yaml', line: 3, column: 5, length: 6 }
  const error = new UserError('x', 'unknown instruction "syscal"', { place, hint: 'did you mean "syscall"?' })
  expect(errorFrame(error, source, plain)).toBe(
    [
      'gap.yaml:3:5  unknown instruction "syscal"',
      '    1 │ guest: |',
      '    2 │     mov   rsp, 0x7fff0000',
      ' >  3 │     syscal',
      '      │     ^^^^^^ did you mean "syscall"?',
    ].join('\n'),
  )
})

test('without a place or without the text there is the message and the hint', () => {
  expect(errorFrame(new UserError('x', 'no such thing', { hint: 'look again' }), undefined, plain)).toBe(
    'error: no such thing\n  look again',
  )
  const place = { file: 'gone.yaml', line: 3, column: 5 }
  expect(errorFrame(new UserError('x', 'no such thing', { place }), undefined, plain)).toBe(
    'gone.yaml:3:5  no such thing',
  )
})

test('the line of an empty file, and a place beyond the end of its line', () => {
  const error = new UserError('x', 'empty', { place: { file: 'x', line: 1, column: 1 } })
  expect(errorFrame(error, '', plain)).toBe('x:1:1  empty\n >  1 │\n      │ ^')
  const beyond = new UserError('x', 'more', { place: { file: 'x', line: 1, column: 9, length: 4 } })
  expect(errorFrame(beyond, 'nop', plain)).toBe('x:1:9  more\n >  1 │ nop\n      │         ^')
})

test('tabs and control characters do not disturb the caret or the terminal', () => {
  const error = new UserError('x', 'odd', { place: { file: 'x', line: 1, column: 3, length: 3 } })
  expect(errorFrame(error, '\t\u001bnop', plain)).toBe('x:1:3  odd\n >  1 │   ·nop\n      │    ^^^')
})

test('of a very long line the part around the place is shown', () => {
  const long = `${'a'.repeat(500)}BAD${'b'.repeat(500)}`
  const error = new UserError('x', 'long', { place: { file: 'x', line: 1, column: 501, length: 3 } })
  const [, text, caret] = errorFrame(error, long, plain).split('\n') as [string, string, string]
  expect(text.length).toBeLessThan(200)
  expect(text.slice(caret.indexOf('^'), caret.indexOf('^') + 3)).toBe('BAD')
})
