import type { CodeSize } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { createDecoder } from './decoder.js'

const decoder = createDecoder()

function outcome(hex: string, codeSize: CodeSize = 64): string {
  const result = decoder.decode(Uint8Array.from(Buffer.from(hex, 'hex')), codeSize, 'intel')
  if (result === null) return '#UD'
  return typeof result === 'string' ? result : result.mnemonic
}

describe('bytes that stop at the end of a page', () => {
  test.each([
    '48',
    '0f',
    '0f38',
    'f30f1e',
    '660f3882',
    'f20f00',
    '0fc7',
    '0f71',
    'f20f78',
    '8d',
    'a1',
    'e8',
    'c4',
    '62f1',
    'f089',
  ])('%s may go on: truncated', (hex) => {
    expect(outcome(hex)).toBe('truncated')
  })

  test.each(['06', '27', 'ce', 'd4', 'd6', '9a', 'ea', '0f04', '0f0a', '66d6'])('%s is #UD whatever follows', (hex) => {
    expect(outcome(hex)).toBe('#UD')
  })

  test('the same bytes begin instructions in compatibility mode', () => {
    expect(['06', 'ce', 'd4', '9a', 'd6'].map((hex) => outcome(hex, 32))).toEqual([
      'push',
      'into',
      'truncated',
      'truncated',
      'salc',
    ])
  })

  test('nothing fetched is truncated', () => {
    expect(outcome('')).toBe('truncated')
  })
})

describe('the limit of 15 bytes', () => {
  const padded = (prefixes: number, rest: string) => '66'.repeat(prefixes) + rest

  test.each([
    ['15 prefixes and no opcode', padded(15, ''), 'too-long'],
    ['an opcode whose ModRM would be byte 16', padded(14, '8b'), 'too-long'],
    ['an immediate that crosses', padded(13, 'b801'), 'too-long'],
    ['a group that crosses', padded(13, '0f01'), 'too-long'],
    ['more bytes than an instruction may have', padded(15, '90'), 'too-long'],
    ['15 bytes exactly', padded(14, '90'), 'nop'],
    ['15 bytes that are undefined', padded(14, 'ce'), '#UD'],
    ['15 bytes that begin with something undefined', `0f04${'00'.repeat(13)}`, '#UD'],
    ['15 bytes with a LOCK that may not be', `f0f089c0${'00'.repeat(11)}`, '#UD'],
  ])('%s', (_, hex, expected) => {
    expect(outcome(hex)).toBe(expected)
  })
})
