import { CF, ZF } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { DATA, execute, READ_ONLY, results } from './test-machine.js'

describe('BT, BTS, BTR, BTC', () => {
  test.each([
    ['bts rax, rcx', 63n, 0n, 0x8000_0000_0000_0000n, false],
    ['bts rax, rcx', 64n, 0n, 1n, false],
    ['btr eax, ecx', 31n, 0x8000_0001n, 1n, true],
    ['btc ax, cx', 15n, 0x8000n, 0n, true],
    ['btc rax, 33', 0n, 0n, 0x2_0000_0000n, false],
    ['bt rax, 0', 0n, 1n, 1n, true],
  ])('%s of a register, offset %i', (source, rcx, rax, after, carry) => {
    const outcome = execute(source, { registers: { rax, rcx } })
    expect(outcome.cpu.gpr(0)).toBe(after)
    expect(outcome.flags === 'CF').toBe(carry)
  })

  test('a register offset reaches beyond a memory operand, in both directions (SDM 2A BT)', () => {
    const bytes = (source: string, rcx: bigint) => execute(source, { registers: { rbx: DATA + 8n, rcx } }).data(24)
    const at = (i: number, value: number) => Array.from({ length: 24 }, (_, n) => (n === i ? value : 0))
    expect(bytes('bts [rbx], rcx', 65n)).toEqual(at(16, 2))
    expect(bytes('bts [rbx], ecx', 33n)).toEqual(at(12, 2))
    expect(bytes('bts [rbx], cx', 0xffffn)).toEqual(at(7, 0x80))
    expect(bytes('bts [rbx], rcx', -1n)).toEqual(at(7, 0x80))
    expect(bytes('bts [rbx], rcx', -64n)).toEqual(at(0, 1))
    expect(bytes('bts qword [rbx], 65', 0n)).toEqual(at(8, 2))
  })

  test('BT only reads, the others need a writable operand', () => {
    const registers = { rbx: READ_ONLY, rcx: 3n }
    expect(execute('bt [rbx], ecx', { registers }).event).toBe('')
    expect(execute('btr [rbx], ecx', { registers }).event).toBe('#PF(3)')
  })
})

describe('BSF and BSR', () => {
  test.each([
    ['bsf rcx, rax', 0x8000_0000_0000_0000n, 63n],
    ['bsr rcx, rax', 0x8000_0000_0000_0000n, 63n],
    ['bsf ecx, eax', 0x50n, 4n],
    ['bsr ecx, eax', 0x50n, 6n],
    ['bsr cx, ax', 0xf_0001n, 0n],
  ])('%s of %s', (source, rax, index) => {
    const outcome = execute(source, { registers: { rax, rcx: 99n }, rflags: 2 | CF | ZF })
    expect(outcome.cpu.gpr(1)).toBe(index)
    expect(outcome.flags).not.toContain('ZF')
  })

  test('of 0 set ZF and leave the destination', () => {
    expect(results('bsf ecx, eax', { registers: { rcx: -1n } })).toEqual({})
    expect(execute('bsr ecx, eax').flags).toBe('PF ZF')
  })
})
