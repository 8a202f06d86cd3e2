import type { CodeSize, Decoded } from '@trapframe/core'
import { expect, test } from 'vitest'
import { createDecoder } from './decoder.js'

const decoder = createDecoder()

function text(hex: string, codeSize: CodeSize = 64): string {
  return (decoder.decode(Uint8Array.from(Buffer.from(hex, 'hex')), codeSize, 'intel') as Decoded).text
}

test.each([
  ['cd80', 'int 0x80'],
  ['488b44cb10', 'mov rax, [rbx+rcx*8+0x10]'],
  ['8b0510000000', 'mov eax, [rip+0x10]'],
  ['64488b042528000000', 'mov rax, [fs:0x28]'],
  ['c70001000000', 'mov dword [rax], 0x1'],
  ['f348a5', 'rep movsq'],
  ['f00103', 'lock add [rbx], eax'],
  ['3effe0', 'notrack jmp rax'],
  ['f20f01ca', 'erets'],
])('%s reads "%s"', (hex, expected) => {
  expect(text(hex)).toBe(expected)
})

test('a branch target is relative to the instruction', () => {
  expect(text('7404')).toBe('je $+0x6')
  expect(text('ebfe')).toBe('jmp $+0x0')
  expect(text('ebf0')).toBe('jmp $-0xe')
  expect(text('e8fb0f0000')).toBe('call $+0x1000')
  expect(text('ebf0', 16)).toBe('jmp $-0xe')
})

test('widths are spelled out', () => {
  const names = ['cf', '48cf', '66cf', '0f07', '480f07', '0f35', '9c', '669d'].map((hex) => text(hex))
  expect(names).toEqual(['iretd', 'iretq', 'iretw', 'sysretl', 'sysretq', 'sysexitl', 'pushfq', 'popfw'])
  expect(text('ff1b')).toBe('call far dword [rbx]')
  expect(text('48ff2b')).toBe('jmp far qword [rbx]')
  expect(text('66ff2b')).toBe('jmp far word [rbx]')
})
