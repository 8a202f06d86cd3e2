import { expect, test } from 'vitest'
import { emptyPrefixes, readPrefixes } from './prefixes.js'

const read = (bytes: number[], codeSize: 64 | 32 = 64) =>
  readPrefixes(Uint8Array.from(bytes), codeSize, emptyPrefixes())

test('REX counts only right before the opcode', () => {
  expect(read([0x48, 0x8b])).toMatchObject({ rex: 0x48, end: 1 })
  expect(read([0x48, 0x66, 0x8b])).toMatchObject({ rex: 0, operandSize: true, end: 2 })
  expect(read([0x48, 0x8b], 32)).toMatchObject({ rex: 0, end: 0 })
})

test('the last segment override is kept; ES and SS are none in 64-bit mode', () => {
  expect(read([0x64, 0x3e, 0xff])).toMatchObject({ segment: 0x3e })
  expect(read([0x3e, 0x65, 0xff])).toMatchObject({ segment: 0x65 })
  expect(read([0x3e, 0x26, 0xff])).toMatchObject({ segment: 0x3e, end: 2 })
  expect(read([0x3e, 0x26, 0xff], 32)).toMatchObject({ segment: 0x26 })
})

test('bytes that are all prefixes end where they end', () => {
  expect(read([0xf0, 0xf2, 0xf3, 0x67])).toMatchObject({ end: 4, addressSize: true })
})
