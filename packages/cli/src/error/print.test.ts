import { join } from 'node:path'
import { UserError } from '@trapframe/core'
import { expect, test } from 'vitest'
import { folderWith } from '../../test/command-line.js'
import { memoryTerminal } from '../terminal/terminal.js'
import { printError } from './print.js'

test('an error of the user is told in their terms, and the exit code is 2', async () => {
  const file = join(folderWith({ 'x.jsonl': '{ "a": 1 }\n{ "a":\n' }), 'x.jsonl')
  const terminal = memoryTerminal()
  const error = new UserError('x', 'this line ends too early', {
    place: { file, line: 2, column: 7 },
    hint: 'is the file complete?',
  })
  expect(await printError(error, terminal.err)).toBe(2)
  expect(terminal.text.err).toBe(
    `${file}:2:7  this line ends too early\n    1 │ { "a": 1 }\n >  2 │ { "a":\n      │       ^ is the file complete?\n`,
  )
})

test('a compressed file is not shown', async () => {
  const file = join(folderWith({ 'x.gz': Uint8Array.of(0x1f, 0x8b, 0, 10, 65) }), 'x.gz')
  const terminal = memoryTerminal()
  await printError(new UserError('x', 'truncated', { place: { file, line: 1, column: 1 } }), terminal.err)
  expect(terminal.text.err).toBe(`${file}:1:1  truncated\n`)
})

test('anything else is a defect of ours: told with its stack, a request to report it, and exit code 70', async () => {
  const terminal = memoryTerminal()
  expect(await printError(new TypeError('boom'), terminal.err)).toBe(70)
  expect(terminal.text.err).toMatch(
    /^internal error: this is a defect of trapframe, not of what you gave it\. Please report it/,
  )
  expect(terminal.text.err).toContain('TypeError: boom\n    at ')
  expect(await printError('thrown text', memoryTerminal().err)).toBe(70)
})
