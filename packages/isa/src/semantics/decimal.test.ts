import { describe, expect, test } from 'vitest'
import { eventOf, execute } from './test-machine.js'

const compatibility = (rax: bigint, rflags = 2) => ({ bits: 32 as const, registers: { rax }, rflags })

describe('decimal arithmetic; results and flags as Intel’s CPUs give them', () => {
  test.each([
    ['daa', 0x0en, 2, 0x14n, 'PF AF'],
    ['daa', 0x9an, 2, 0x00n, 'CF PF AF ZF'],
    ['daa', 0x03n, 3, 0x63n, 'CF PF'],
    ['das', 0x0en, 2, 0x08n, 'AF'],
    ['das', 0x03n, 0x12, 0xfdn, 'CF AF SF'],
    ['das', 0x15n, 3, 0xb5n, 'CF SF'],
    ['aaa', 0x000bn, 2, 0x0101n, 'CF AF'],
    ['aaa', 0x0105n, 2, 0x0105n, 'PF'],
    ['aas', 0x020en, 2, 0x0108n, 'CF AF'],
    ['aam', 0x004fn, 2, 0x0709n, 'PF'],
    ['aad', 0x0709n, 2, 0x004fn, ''],
    ['aad', 0x14ffn, 2, 0x00c7n, 'CF AF SF'],
    ['db 0xd6', 0x1200n, 3, 0x12ffn, 'CF'],
    ['db 0xd6', 0x12ffn, 2, 0x1200n, ''],
  ])('%s of %s with flags %i', (source, rax, rflags, result, flags) => {
    const outcome = execute(source, compatibility(rax, rflags))
    expect(outcome.cpu.gpr(0)).toBe(result)
    expect(outcome.flags).toBe(flags)
  })

  test('AAM with base 0 is #DE', () => {
    expect(eventOf('aam 0', compatibility(1n))).toBe('#DE')
  })

  test.each([
    [0x27, 'DAA'],
    [0x37, 'AAA'],
    [0xd4, 'AAM'],
    [0xd6, 'SALC'],
  ])('byte %i (%s) is #UD in 64-bit mode', (byte) => {
    expect(eventOf(`db ${byte}, 10`, { steps: 1 })).toBe('#UD')
  })
})
