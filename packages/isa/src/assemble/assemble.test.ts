import { describe, expect, test } from 'vitest'
import { assemble } from './assemble.js'
import { AssemblyError } from './error.js'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function place(source: string, options: Partial<Parameters<typeof assemble>[1]> = {}) {
  try {
    assemble(source, { origin: 0n, ...options })
  } catch (error) {
    if (error instanceof AssemblyError) return error.place
    throw error
  }
  return undefined
}

test('a program with labels, data and comments', () => {
  const program = assemble(
    `start:  mov rdi, [rel message]   ; NASM
        # GAS
        lea rsi, [rip + message]      // C
.again: dec ecx
        jnz .again
        jmp start
message: db "hi", 0
size equ $ - message
        dd size
`,
    { origin: 0x401000n },
  )
  expect(hex(program.bytes)).toBe('488b3d0d000000488d3506000000ffc975fcebec686900' + '03000000')
  expect(Object.fromEntries(program.labels)).toEqual({
    start: 0x401000n,
    'start.again': 0x40100en,
    message: 0x401014n,
  })
  expect(program.lines).toMatchObject([
    { address: 0x401000n, length: 7, line: 1, text: 'mov rdi, [rel message]' },
    { address: 0x401007n, length: 7, line: 3, text: 'lea rsi, [rip + message]' },
    { address: 0x40100en, length: 2, line: 4, text: 'dec ecx' },
    { address: 0x401010n, length: 2, line: 5, text: 'jnz .again' },
    { address: 0x401012n, length: 2, line: 6, text: 'jmp start' },
    { address: 0x401014n, length: 3, line: 7, text: 'db "hi", 0' },
    { address: 0x401017n, length: 4, line: 9, text: 'dd size' },
  ])
})

test('lines account for every byte', () => {
  const { bytes, lines, origin } = assemble('nop\ntimes 3 nop\nalign 16\ndq 1\nresb 5\nhlt', { origin: 0x1001n })
  let at = origin
  for (const { address, length } of lines) {
    expect(address).toBe(at)
    at += BigInt(length)
  }
  expect(at - origin).toBe(BigInt(bytes.length))
})

describe('labels', () => {
  test('.local labels belong to the label before', () => {
    const { labels } = assemble('a:\n.x: jmp .x\nb:\n.x: jmp .x\njmp a.x', { origin: 0n })
    expect([...labels]).toEqual([
      ['a', 0n],
      ['a.x', 0n],
      ['b', 2n],
      ['b.x', 2n],
    ])
  })

  test('a .local label that is the only one of its name is found from elsewhere', () => {
    expect(hex(assemble('a:\njmp .L1\nb:\n.L1: nop', { origin: 0n }).bytes)).toBe('eb0090')
  })

  test('numeric labels: 1b is the last before, 1f the next after', () => {
    expect(hex(assemble('1: nop\njmp 1b\njmp 1f\n1: nop\njmp 1b', { origin: 0n }).bytes)).toBe('90ebfdeb0090ebfd')
    expect(hex(assemble('mov al, 1b', { origin: 0n }).bytes)).toBe('b001')
  })

  test('labels hide symbols from outside', () => {
    const options = { origin: 0x10n, symbols: { x: 5n, y: 7n } }
    expect(hex(assemble('x: db x, y', options).bytes)).toBe('1007')
  })

  test('a name twice, or a register', () => {
    expect(() => assemble('a:\na:', { origin: 0n })).toThrow('"a" is defined twice')
    expect(() => assemble('a equ 1\na:', { origin: 0n })).toThrow('"a" is defined twice')
    expect(() => assemble('rax: nop', { origin: 0n })).toThrow('"rax" is a register')
  })

  test('a suggestion for an unknown one', () => {
    const failure = () => assemble('jmp handlr\nhandler:', { origin: 0n })
    expect(failure).toThrow(expect.objectContaining({ hint: 'did you mean "handler"?' }))
  })
})

test('errors point into the file that the source is a part of', () => {
  const source = 'nop\nfoo: bar rax\n'
  expect(place(source)).toEqual({ line: 2, column: 6, length: 3 })
  expect(place(source, { file: 'a.yaml', line: 12, column: 7 })).toEqual({
    file: 'a.yaml',
    line: 13,
    column: 12,
    length: 3,
  })
  const { lines } = assemble('  nop', { origin: 0n, line: 12, column: 7 })
  expect(lines).toMatchObject([{ line: 12, text: 'nop' }])
})

test('a program has at most 1 MiB', () => {
  expect(() => assemble('resb 0x100001', { origin: 0n })).toThrow(AssemblyError)
  expect(() => assemble('resb 0x80000\nresb 0x80001', { origin: 0n })).toThrow('the program has more than 1 MiB')
  expect(() => assemble('times 100000000 db 0', { origin: 0n })).toThrow(AssemblyError)
  expect(assemble('resb 0x100000', { origin: 0n }).bytes.length).toBe(1 << 20)
})

test('nothing but blanks and comments is an empty program', () => {
  expect(assemble('\r\n ; nothing\n\t# here\r\n', { origin: 5n })).toEqual({
    origin: 5n,
    bytes: new Uint8Array(),
    labels: new Map(),
    lines: [],
  })
})
