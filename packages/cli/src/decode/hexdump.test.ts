import { execFileSync } from 'node:child_process'
import { encodeFrame, type FredFrame } from '@trapframe/fred'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DecodeError, parseHexdump } from './hexdump.js'
import { recognise } from './recognise.js'

const FRAME: FredFrame = {
  errorCode: 0,
  rip: 0xffff_cbed_0fa2_7f26n,
  cs: 0x10,
  stackLevel: 1,
  waitForEndbranch: false,
  rflags: 0x46n,
  rsp: 0xffff_cbed_0be2_3bb8n,
  ss: 0x18,
  stiBlocking: false,
  softwareEvent: true,
  nmi: false,
  vector: 2,
  type: 4,
  enclave: false,
  mode64: true,
  nested: false,
  length: 2,
  eventData: 0n,
}
const BYTES = encodeFrame({ ...FRAME, rflags: 0x46n | 2n })
const digits = Buffer.from(BYTES).toString('hex')
const pairs = digits.match(/../g)!
const quads = Array.from({ length: 8 }, (_, n) => Buffer.from(BYTES).readBigUInt64LE(8 * n))
const rows = <T>(all: readonly T[], each: number): T[][] =>
  Array.from({ length: all.length / each }, (_, n) => all.slice(n * each, (n + 1) * each))
const ascii = (bytes: readonly string[]) =>
  bytes
    .map((pair) => Number.parseInt(pair, 16))
    .map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.'))

const offset = (n: number, width: number) => n.toString(16).padStart(width, '0')
const hex16 = (quad: bigint) => quad.toString(16).padStart(16, '0')

/** The same 64 bytes as people paste them. */
const LAYOUTS: Readonly<Record<string, string>> = {
  'plain digits': digits,
  'plain digits in upper case, in two lines': `${digits.slice(0, 64).toUpperCase()}\n${digits.slice(64)}\n`,
  'xxd -p': digits.match(/.{1,60}/g)!.join('\n'),
  bytes: pairs.join(' '),
  xxd: rows(pairs, 16)
    .map(
      (row, n) =>
        `${offset(16 * n, 8)}: ${rows(row, 2)
          .map((two) => two.join(''))
          .join(' ')}  ${ascii(row).join('')}`,
    )
    .join('\n'),
  'hexdump -C': `${rows(pairs, 16)
    .map(
      (row, n) =>
        `${offset(16 * n, 8)}  ${row.slice(0, 8).join(' ')}  ${row.slice(8).join(' ')}  |${ascii(row).join('')}|`,
    )
    .join('\n')}\n00000040\n`,
  hexdump: `${rows(pairs, 16)
    .map(
      (row, n) =>
        `${offset(16 * n, 7)} ${rows(row, 2)
          .map(([low, high]) => `${high}${low}`)
          .join(' ')}`,
    )
    .join('\n')}\n0000040\n`,
  'od -tx1, octal offsets': `${rows(pairs, 16)
    .map((row, n) => `${(16 * n).toString(8).padStart(7, '0')} ${row.join(' ')}`)
    .join('\n')}\n0000100\n`,
  'od -Ax -tx8': rows(quads, 2)
    .map((row, n) => `${offset(16 * n, 6)} ${row.map(hex16).join(' ')}`)
    .join('\n'),
  'gdb x/8gx': rows(quads, 2)
    .map(
      (row, n) =>
        `0xffffcbed0be23b${offset(0x40 + 16 * n, 2)} <stack+${16 * n}>:\t${row.map((quad) => `0x${hex16(quad)}`).join('\t')}`,
    )
    .join('\n'),
  'gdb x/16wx': rows(
    quads.flatMap((quad) => [hex16(quad).slice(8), hex16(quad).slice(0, 8)]),
    4,
  )
    .map((row, n) => `0x7ffe${offset(16 * n, 4)}:\t${row.map((word) => `0x${word}`).join('\t')}`)
    .join('\n'),
  'crash rd': rows(quads, 2)
    .map((row, n) => `ffffcbed0be23b${offset(0x40 + 16 * n, 2)}:  ${row.map(hex16).join(' ')}   ................`)
    .join('\n'),
  'quadwords without leading zeros': quads.map((quad) => `0x${quad.toString(16)}`).join(' '),
  'WinDbg dq': rows(quads, 2)
    .map(
      (row, n) =>
        `fffff800\`0000${offset(16 * n, 4)}  ${row.map((quad) => `${hex16(quad).slice(0, 8)}\`${hex16(quad).slice(8)}`).join(' ')}`,
    )
    .join('\n'),
  'a C array': `{ ${pairs.map((pair) => `0x${pair}`).join(', ')} };`,
  'a C string': `"${pairs.map((pair) => `\\x${pair}`).join('')}"`,
  'print_hex_dump in a log': rows(pairs, 16)
    .map((row, n) => `[  186.39381${n}] ${offset(16 * n, 8)}: ${row.join(' ')}  ${ascii(row).join('')}`)
    .join('\n'),
}

const fieldOf = (text: string, name: string) =>
  recognise(text, [])[0]!.fields.find((field) => field.name === name)?.value

describe('a frame in any layout of hex', () => {
  test.each(Object.entries(LAYOUTS))('%s', (_, text) => {
    expect(fieldOf(text, 'RIP')).toBe('0xffffcbed0fa27f26')
    expect([fieldOf(text, 'type'), fieldOf(text, 'vector'), fieldOf(text, 'length')]).toEqual(['4', '2', '2'])
    expect(recognise(text, [])[0]!.oddities).toEqual([])
  })

  test('the layouts above are those of the tools themselves', () => {
    const tool = (name: string, ...words: string[]): string | undefined => {
      try {
        return execFileSync(name, words, { input: BYTES, encoding: 'utf8' })
      } catch {
        return undefined
      }
    }
    const printed = [
      tool('xxd'),
      tool('xxd', '-p'),
      tool('hexdump', '-C'),
      tool('hexdump'),
      tool('od', '-v', '-tx1'),
      tool('od', '-v', '-Ax', '-tx8'),
      tool('od', '-v', '-tx4'),
      tool('od', '-v', '-An', '-tx2'),
    ]
    for (const text of printed) if (text !== undefined) expect(fieldOf(text, 'RIP')).toBe('0xffffcbed0fa27f26')
  })
})

test('plain digits of any bytes are those bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 9, maxLength: 80 }), (bytes) => {
      const hex = Buffer.from(bytes).toString('hex')
      expect(parseHexdump(hex)[0]!.bytes).toEqual(bytes)
      expect(parseHexdump(hex.match(/../g)!.join(' '))[0]!.bytes).toEqual(bytes)
    }),
  )
})

test('whatever the text, it is read or a DecodeError says what is wrong', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[0-9a-fx:| \n]{0,80}$/)), (text) => {
      try {
        recognise(text, [])
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error
        expect(error.hint).toBeTruthy()
      }
    }),
    { numRuns: 500 },
  )
})

test('a megabyte of hex is told to be too long, and not our mistake', () => {
  expect(() => recognise('x: 00 11\n'.repeat(150_000), [])).toThrow('64 bytes, and 300000 are here')
})

test.each([
  ['', 'there are no hex digits in it'],
  ['hello', '"hello" is no hex'],
  ['\u0007red', '"·red" is no hex'],
  ['00 11 2', 'a FRED frame has 64 bytes, and 3 are here'],
  [`${'00 '.repeat(16)}123 ${'00 '.repeat(47)}`, 'a FRED frame has 64 bytes'],
  [digits.slice(1), 'has an odd number of digits'],
  [digits.repeat(2), 'a FRED frame has 64 bytes, and 128 are here'],
])('%j is refused', (text, message) => {
  expect(() => recognise(text, [])).toThrow(message)
})
