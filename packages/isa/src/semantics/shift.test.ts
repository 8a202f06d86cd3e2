import { AF, CF, OF } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { DATA, execute, READ_ONLY, results } from './test-machine.js'

describe('counts', () => {
  test('are masked to five bits, six for 64-bit operands (SDM 2B SAL)', () => {
    expect(results('shl eax, cl', { registers: { rax: 1n, rcx: 33n } })).toEqual({ rax: 2n })
    expect(results('shl rax, cl', { registers: { rax: 1n, rcx: 33n } })).toEqual({ rax: 0x2_0000_0000n })
    expect(results('shl rax, cl', { registers: { rax: 1n, rcx: 65n } })).toEqual({ rax: 2n })
    expect(results('shl al, cl', { registers: { rax: 0xffn, rcx: 12n } })).toEqual({ rax: 0n })
  })

  test('of 0 change no flag, and still clear the upper half of a 32-bit register', () => {
    const outcome = execute('shr eax, cl', { registers: { rax: -1n, rcx: 32n }, rflags: 2 | CF | AF | OF })
    expect(outcome.flags).toBe('CF AF OF')
    expect(outcome.cpu.gpr(0)).toBe(0xffff_ffffn)
  })

  test('of 0 still need a writable destination', () => {
    expect(execute('shl dword [rbx], cl', { registers: { rbx: READ_ONLY, rcx: 0n } }).event).toBe('#PF(3)')
  })
})

test.each([
  ['sar al, 1', 0x81n, 0xc0n, 'CF PF SF'],
  ['sar rax, 63', 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn, 'PF SF'],
  ['sar rax, 40', 0x8000_0000_0000_0000n, 0xffff_ffff_ff80_0000n, 'PF SF'],
  ['sar ax, 20', 0x8000n, 0xffffn, 'CF PF SF'],
  ['shr rax, 32', 0x1234_5678_8000_0000n, 0x1234_5678n, 'CF PF'],
  ['shr rax, 1', 0x8000_0000_0000_0001n, 0x4000_0000_0000_0000n, 'CF PF OF'],
  ['shl rax, 32', 0x1_8000_0000n, 0x8000_0000_0000_0000n, 'CF PF SF'],
  ['shl al, 8', 0x01n, 0n, 'CF PF ZF'],
])('%s', (source, before, after, flags) => {
  const outcome = execute(source, { registers: { rax: before } })
  expect(outcome.cpu.gpr(0)).toBe(after)
  expect(outcome.flags).toBe(flags)
})

describe('SHLD and SHRD', () => {
  test.each([
    ['shld rax, rdx, 4', 0xf000_0000_0000_0000n, 0xa000_0000_0000_0000n, 0xan, 'CF PF'],
    ['shrd rax, rdx, 4', 0x1fn, 0xan, 0xa000_0000_0000_0001n, 'CF SF'],
    ['shld eax, edx, cl', 0x8000_0001n, 0xffff_ffffn, 0x3ffn, 'PF'],
    ['shrd ax, dx, 1', 0x0001n, 0x0001n, 0x8000n, 'CF PF SF OF'],
  ])('%s', (source, rax, rdx, after, flags) => {
    const outcome = execute(source, { registers: { rax, rdx, rcx: 9n } })
    expect(outcome.cpu.gpr(0)).toBe(after)
    expect(outcome.flags.replace(' OF', '')).toBe(flags.replace(' OF', ''))
  })

  test('a count of 0 changes nothing', () => {
    expect(execute('shld rax, rdx, 64', { registers: { rax: 5n }, rflags: 2 | CF }).flags).toBe('CF')
  })

  test('work on memory', () => {
    const outcome = execute('shld word [rbx], ax, 8', { registers: { rbx: DATA, rax: 0xabcdn }, data: [0x34, 0x12] })
    expect(outcome.data(2)).toEqual([0xab, 0x34])
  })
})
