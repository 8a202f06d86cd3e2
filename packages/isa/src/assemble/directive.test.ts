import { expect, test } from 'vitest'
import { assemble } from './assemble.js'

const hex = (source: string) => Buffer.from(assemble(source, { origin: 0x1000n }).bytes).toString('hex')

test('data in every unit, little-endian', () => {
  expect(hex('db 1, -1, 0x80')).toBe('01ff80')
  expect(hex('dw 0x1234, -2')).toBe('3412feff')
  expect(hex('dd 0x12345678')).toBe('78563412')
  expect(hex('dq $, -1')).toBe('0010000000000000ffffffffffffffff')
  expect(hex('.byte 1\n.word 2\n.long 3\n.quad 4')).toBe('01020003000000' + '0400000000000000')
})

test('strings', () => {
  expect(hex('db "ab", 0')).toBe('616200')
  expect(hex('dw "abc"')).toBe('61626300')
  expect(hex("dd 'ab' + 1")).toBe('62620000')
  expect(hex('.ascii "a\\n"\n.asciz "b"')).toBe('610a6200')
})

test('space', () => {
  expect(hex('resb 2\nresw 1\n.skip 1\n.zero 1')).toBe('000000000000')
})

test('alignment fills code with NOPs', () => {
  expect(hex('hlt\nalign 4')).toBe('f4909090')
  expect(hex('hlt\nalign 4, 0xcc')).toBe('f4cccccc')
  expect(hex('hlt\nalignb 4')).toBe('f4000000')
  expect(hex('hlt\n.p2align 2')).toBe('f4909090')
  expect(() => hex('align 3')).toThrow('a power of two')
})

test('constants', () => {
  expect(hex('a equ 5\nb = a * 2\n.set c, b + 1\ndb a, b, c')).toBe('050a0b')
  expect(() => hex('x equ y\ny equ x\ndb x')).toThrow('is defined by itself')
})

test('data may have a label without a colon', () => {
  expect([...assemble('gdt dq 0\nend db 1', { origin: 0n }).labels.keys()]).toEqual(['gdt', 'end'])
})

test('default rel makes bare addresses relative', () => {
  expect(hex('default rel\nmov rax, [0x1100]')).toBe('488b05f9000000')
  expect(hex('default rel\nmov rax, [abs 0x1100]')).toBe('488b042500110000')
  expect(hex('default rel\nmov rax, fs:[0]')).toBe('64488b042500000000')
})

test('what belongs to a linker is left or refused', () => {
  expect(hex('.intel_syntax noprefix\n.text\n.globl start\nstart: hlt')).toBe('f4')
  expect(() => hex('section .data')).toThrow('"section" is not taken')
  expect(() => hex('.att_syntax')).toThrow('"'.concat('.att_syntax" is not taken'))
  expect(() => hex('.foo')).toThrow('there is no directive ".foo"')
})

test('values that do not fit', () => {
  expect(() => hex('db 256')).toThrow('256 does not fit in 8 bits')
  expect(() => hex('dw -32769')).toThrow('-32769 does not fit in 16 bits')
})
