import { describe, expect, test } from 'vitest'
import { assemble } from './assemble.js'
import { AssemblyError } from './error.js'

const length = (source: string, origin = 0n) => assemble(source, { origin }).bytes.length

describe('branches are as short as they can be', () => {
  test('jmp over 127 bytes is short, over 128 near', () => {
    expect(length('jmp end\nresb 127\nend:')).toBe(2 + 127)
    expect(length('jmp end\nresb 128\nend:')).toBe(5 + 128)
    expect(length('start: resb 126\njmp start')).toBe(126 + 2)
    expect(length('start: resb 127\njmp start')).toBe(127 + 5)
  })

  test('one that grows pushes another over its limit', () => {
    expect(length('jmp a\njmp b\nresb 125\na: resb 100\nb:')).toBe(5 + 5 + 225)
  })

  test('near and short are obeyed', () => {
    expect(length('jmp near end\nend:')).toBe(5)
    expect(length('jne near end\nend:')).toBe(6)
    expect(() => length('jmp short end\nresb 300\nend:')).toThrow(AssemblyError)
  })
})

test('immediates and displacements follow the labels', () => {
  expect(length('add eax, end - start\nstart: resb 127\nend:')).toBe(3 + 127)
  expect(length('add ecx, end - start\nstart: resb 128\nend:')).toBe(6 + 128)
  expect(length('mov eax, [rax + end - start]\nstart: resb 128\nend:')).toBe(6 + 128)
})

test('alignment and repetition follow their addresses', () => {
  expect(length('nop\nalign 16\nnop', 0x100n)).toBe(17)
  expect(length('nop\nalign 16\nnop', 0x10fn)).toBe(2)
  expect(length('start: nop\ntimes 510-($-start) db 0\ndw 0xaa55')).toBe(512)
  expect(length('jmp end\nalign 128\nresb 100\nend:')).toBe(228)
})

test('a $ in an equ is where the equ stands', () => {
  const { bytes } = assemble('text: db "abc"\nlength equ $ - text\nresb 9\ndb length', { origin: 0x1000n })
  expect(bytes.at(-1)).toBe(3)
})

test('what depends on its own length is refused', () => {
  expect(() => length('a: times 100-(b-a) nop\nb:')).toThrow('the length of this depends on itself')
})

test('negative repetition is refused only when labels are settled', () => {
  expect(() => length('times 2-4 nop')).toThrow('-2 times is not between 0 and 65536')
  expect(length('times (end-start)-2 nop\nstart: resb 3\nend:')).toBe(4)
})
