import type { CodeSize } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { assemble } from './assemble.js'
import { AssemblyError } from './error.js'

/** The error of a source as `code: message (hint) line:column+length`. */
function failure(source: string, codeSize: CodeSize = 64): string {
  try {
    assemble(source, { origin: 0x1000n, codeSize })
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error
    const { line, column, length } = error.place!
    const hint = error.hint === undefined ? '' : ` (${error.hint})`
    return `${error.code.replace('assembly-', '')}: ${error.message}${hint} ${line}:${column}+${length}`
  }
  return 'no error'
}

test('a misspelt instruction is named with the one that was meant', () => {
  expect(failure('nop\n  syscal')).toBe(
    'unknown-instruction: there is no instruction "syscal" (did you mean "syscall"?) 2:3+6',
  )
  expect(failure('iertq')).toContain('did you mean "iretq"?')
  expect(failure('movl eax, 5')).toContain('write "mov", with byte, word, dword or qword before memory')
  expect(failure('handler')).toContain('a label ends in a colon: "handler:"')
})

test('a misspelt register is named with the one that was meant', () => {
  expect(failure('mov rax, rbz')).toBe(
    'unknown-symbol: "rbz" is no register and not defined (did you mean "rbx"?) 1:10+3',
  )
})

test('AT&T syntax is recognised', () => {
  expect(failure('mov %rax, %rbx')).toContain('Intel syntax writes registers without %')
  expect(failure('mov rax, $5')).toContain('Intel syntax writes immediates without $')
})

describe('operands that go with no form', () => {
  test('the nearest forms are listed', () => {
    expect(failure('lkgs rax, rbx')).toBe(
      'operands: "lkgs" does not take these operands (its forms: lkgs r64/m16; lkgs r/m16; lkgs r32/m16) 1:1+13',
    )
    expect(failure('mov cr4, eax')).toContain('in 64-bit code')
  })

  test('registers of two sizes', () => {
    expect(failure('mov eax, rax')).toContain('eax has 32 bits, rax 64; its forms: mov r/m32, r32')
  })

  test('memory without brackets', () => {
    expect(failure('lea rax, table\ntable:')).toContain('memory is written in brackets')
  })

  test('no instruction of this mode', () => {
    expect(failure('into')).toBe('mode: "into" does not exist in 64-bit code 1:1+4')
    expect(failure('swapgs', 32)).toBe('mode: "swapgs" does not exist in 32-bit code 1:1+6')
    expect(failure('push rax', 32)).toBe('mode: rax exists in 64-bit code only 1:6+3')
  })

  test('no such combination of registers', () => {
    expect(failure('mov ah, r8b')).toContain("AH, CH, DH, BH can't be used if there's a REX prefix")
    expect(failure('mov eax, [rax+rbx+rcx]')).toBe('operands: an address has at most two registers 1:19+3')
    expect(failure('mov eax, [rax*6]')).toBe('operands: a register can be scaled by 1, 2, 4 or 8 1:11+5')
    expect(failure('mov eax, [eax+rbx]')).toBe('operands: the registers of an address have one width 1:15+3')
    expect(failure('mov eax, [rax-rbx]')).toContain('an address is [base + index*scale + displacement]')
  })
})

describe('sizes', () => {
  test('an open size is not guessed', () => {
    expect(failure('inc [rax]')).toBe(
      'ambiguous-size: nothing tells how many bytes of memory are meant (write byte, word, dword, qword before the bracket) 1:5+5',
    )
    expect(failure('movzx eax, [rax]')).toContain('write byte, word before the bracket')
  })

  test('the stack, branches and NOP have a default', () => {
    for (const source of ['push [rax]', 'jmp [rax]', 'nop [rax]', 'jmp far [rax]', 'sgdt [rax]', 'fnsave [rax]']) {
      expect(failure(source)).toBe('no error')
    }
  })
})

describe('values', () => {
  test('an immediate out of range', () => {
    expect(failure('add al, 300')).toBe('out-of-range: 300 does not fit: the immediate goes from -128 to 255 1:9+3')
    expect(failure('push 0x80000000')).toContain('goes from -2147483648 to 2147483647')
    expect(failure('int 256')).toContain('goes from -128 to 255')
  })

  test('a branch out of range', () => {
    expect(failure('jmp short far_away\nresb 200\nfar_away:')).toBe(
      'out-of-range: the target is 202 bytes away (a short branch reaches 128 bytes back and 127 on) 1:5+14',
    )
    expect(failure('jmp 0x1000000000000')).toContain('a near branch reaches 2 GiB')
    expect(failure('jmp short x\nresb 128\nx:')).toContain('Branch distance is too far away'.toLowerCase())
  })

  test('an address out of range', () => {
    expect(failure('mov rcx, [0xffff800000000000]')).toContain('the displacement 0xffff800000000000 does not fit')
  })
})
