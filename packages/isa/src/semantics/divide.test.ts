import { CF, OF } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { DATA, eventOf, execute, results } from './test-machine.js'

const M1 = 0xffff_ffff_ffff_ffffn

test.each([
  ['div cl', { rax: 0x1234n, rcx: 0x20n }, { rax: 0x1491n }],
  ['div cx', { rax: 1n, rdx: 1n, rcx: 2n }, { rax: 0x8000n }],
  ['div rcx', { rax: 5n, rdx: 1n, rcx: 2n }, { rax: 0x8000_0000_0000_0002n }],
  ['idiv cl', { rax: 0xfff9n, rcx: 2n }, { rax: 0xfffdn }],
  ['idiv ecx', { rax: 0xffff_fff9n, rdx: 0xffff_ffffn, rcx: 0xffff_fffen }, { rax: 3n }],
  ['idiv rcx', { rax: M1, rdx: M1, rcx: 1n }, { rdx: 0n }],
])('%s of %o', (source, registers, after) => {
  expect(results(source, { registers })).toMatchObject(after)
})

test('the remainder has the sign of the dividend', () => {
  expect(results('idiv rcx', { registers: { rax: M1 - 6n, rdx: M1, rcx: 2n } })).toEqual({ rax: M1 - 2n })
})

describe('#DE', () => {
  test.each([
    ['div ecx', { rax: 1n }],
    ['idiv rcx', { rax: 1n }],
    ['div cl', { rax: 0x100n, rcx: 1n }],
    ['div rcx', { rdx: 1n, rcx: 1n }],
    ['idiv cl', { rax: 0x80n, rcx: 1n }],
    ['idiv ecx', { rax: 0x8000_0000n, rdx: 0xffff_ffffn, rcx: 0xffff_ffffn }],
    ['idiv rcx', { rax: 0x8000_0000_0000_0000n, rdx: M1, rcx: M1 }],
  ])('%s of %o', (source, registers) => {
    const outcome = execute(source, { registers, rflags: 2 | CF | OF })
    expect(outcome.event).toBe('#DE')
    expect(outcome.changed).toEqual({})
    expect(outcome.flags).toBe('CF OF')
  })

  test('a page fault on the divisor comes first', () => {
    expect(eventOf('div dword [rbx]', { registers: { rbx: DATA + 0x1000n } })).toBe('#PF(0)')
  })
})
