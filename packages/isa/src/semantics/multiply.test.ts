import { describe, expect, test } from 'vitest'
import { DATA, execute, results } from './test-machine.js'

const M1 = 0xffff_ffff_ffff_ffffn

describe('MUL and IMUL into two registers', () => {
  test.each([
    ['mul cl', 0xffn, 0xffn, 0xfe01n, 7n, true],
    ['mul cx', 0xffffn, 0xffffn, 1n, 0xfffen, true],
    ['mul ecx', 0xffff_ffffn, 2n, 0xffff_fffen, 1n, true],
    ['mul rcx', M1, M1, 1n, M1 - 1n, true],
    ['mul rcx', 3n, 5n, 15n, 0n, false],
    ['imul cl', 0x80n, 0x80n, 0x4000n, 7n, true],
    ['imul cl', 0xffn, 2n, 0xfffen, 7n, false],
    ['imul rcx', M1, 2n, M1 - 1n, M1, false],
    ['imul ecx', 0x8000_0000n, 0xffff_ffffn, 0x8000_0000n, 0n, true],
  ])('%s, %s × %s', (source, left, right, rax, rdx, overflow) => {
    const outcome = execute(source, { registers: { rax: left, rcx: right, rdx: 7n } })
    expect(outcome.cpu.gpr(0)).toBe(rax)
    expect(outcome.cpu.gpr(2)).toBe(rdx)
    expect(outcome.flags.includes('CF')).toBe(overflow)
    expect(outcome.flags.includes('OF')).toBe(overflow)
  })
})

describe('IMUL into one register', () => {
  test.each([
    ['imul eax, ecx', 0x4000_0000n, 2n, 0x8000_0000n, true],
    ['imul rax, rcx', M1, M1, 1n, false],
    ['imul rax, rcx, -3', 0n, 5n, BigInt.asUintN(64, -15n), false],
    ['imul ax, cx, 0x100', 0xaaaa_0000n, 0x180n, 0xaaaa_8000n, true],
  ])('%s', (source, rax, rcx, after, overflow) => {
    const outcome = execute(source, { registers: { rax, rcx } })
    expect(outcome.cpu.gpr(0)).toBe(after)
    expect(outcome.flags.includes('CF')).toBe(overflow)
  })

  test('from memory', () => {
    expect(results('imul rcx, [rbx], 3', { registers: { rbx: DATA }, data: [7] })).toEqual({ rcx: 21n })
  })
})
