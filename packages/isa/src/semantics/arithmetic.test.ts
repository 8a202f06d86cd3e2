import { CF, OF } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, execute, READ_ONLY, results } from './test-machine.js'

const RAX = (rax: bigint) => ({ registers: { rax } })

describe('the six flags', () => {
  test.each([
    ['add al, 1', 0x7fn, 0x80n, 'AF SF OF'],
    ['add al, 1', 0xffn, 0x00n, 'CF PF AF ZF'],
    ['add ax, 1', 0x7fffn, 0x8000n, 'PF AF SF OF'],
    ['add eax, 1', 0x7fff_ffffn, 0x8000_0000n, 'PF AF SF OF'],
    ['add rax, 1', 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 'PF AF SF OF'],
    ['add rax, 1', 0xffff_ffff_ffff_ffffn, 0n, 'CF PF AF ZF'],
    ['add rax, 1', 0xffff_ffffn, 0x1_0000_0000n, 'PF AF'],
    ['sub al, 1', 0n, 0xffn, 'CF PF AF SF'],
    ['sub rax, 1', 0x1_0000_0000n, 0xffff_ffffn, 'PF AF'],
    ['sub rax, 1', 0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn, 'PF AF OF'],
    ['cmp rax, -1', 0n, 0n, 'CF AF'],
    ['neg rax', 0n, 0n, 'PF ZF'],
    ['neg rax', 0x8000_0000_0000_0000n, 0x8000_0000_0000_0000n, 'CF PF SF OF'],
    ['neg al', 1n, 0xffn, 'CF PF AF SF'],
  ])('%s of %s', (source, before, after, flags) => {
    const outcome = execute(source, RAX(before))
    expect(outcome.cpu.gpr(0)).toBe(after)
    expect(outcome.flags).toBe(flags)
  })
})

test.each([
  ['adc al, 0', 0xffn, 0x00n, 'CF PF AF ZF'],
  ['adc eax, -1', 5n, 5n, 'CF PF AF'],
  ['sbb rax, rax', 5n, 0xffff_ffff_ffff_ffffn, 'CF PF AF SF'],
  ['sbb al, 0', 0n, 0xffn, 'CF PF AF SF'],
])('%s takes CF in', (source, before, after, flags) => {
  const outcome = execute(source, { ...RAX(before), rflags: 2 | CF })
  expect(outcome.cpu.gpr(0)).toBe(after)
  expect(outcome.flags).toBe(flags)
})

test.each([
  ['inc al', 0xffn, 0n],
  ['dec al', 0n, 0xffn],
  ['inc rax', 0xffff_ffff_ffff_ffffn, 0n],
  ['dec rax', 0x1_0000_0000n, 0xffff_ffffn],
  ['dec eax', 0n, 0xffff_ffffn],
])('%s leaves CF alone', (source, before, after) => {
  for (const carry of [0, CF]) {
    const { cpu } = execute(source, { ...RAX(before), rflags: 2 | carry })
    expect(cpu.gpr(0)).toBe(after)
    expect(Number(cpu.rflags) & CF).toBe(carry)
  }
})

test('INC overflows into OF, DEC out of it', () => {
  expect(Number(execute('inc ax', RAX(0x7fffn)).cpu.rflags) & OF).toBe(OF)
  expect(Number(execute('dec ax', RAX(0x8000n)).cpu.rflags) & OF).toBe(OF)
  expect(Number(execute('dec ax', RAX(0x7fffn)).cpu.rflags) & OF).toBe(0)
})

test('32-bit results clear the upper half, 8 and 16 bits leave the rest (SDM 1 3.4.1.1)', () => {
  const rax = 0xaaaa_bbbb_cccc_ddddn
  expect(results('add eax, ebx', RAX(rax))).toEqual({ rax: 0xcccc_ddddn })
  expect(results('add ax, 0x1111', RAX(rax))).toEqual({ rax: 0xaaaa_bbbb_cccc_eeeen })
  expect(results('add ah, 1', RAX(rax))).toEqual({ rax: 0xaaaa_bbbb_cccc_deddn })
})

describe('XADD', () => {
  test('gives the source the old destination', () => {
    expect(results('xadd rcx, rax', { registers: { rax: 5n, rcx: 7n } })).toEqual({ rax: 7n, rcx: 12n })
  })

  test('with one register ends with the sum', () => {
    expect(results('xadd rax, rax', RAX(5n))).toEqual({ rax: 10n })
  })

  test('in memory', () => {
    const outcome = execute('lock xadd [rbx], eax', {
      registers: { rax: 1n, rbx: DATA },
      data: [0xff, 0xff, 0xff, 0xff],
    })
    expect(outcome.cpu.gpr(0)).toBe(0xffff_ffffn)
    expect(outcome.data(4)).toEqual([0, 0, 0, 0])
  })
})

describe('a memory destination', () => {
  test('is read, changed and written', () => {
    const outcome = execute('sub qword [rbx+8], 2', {
      registers: { rbx: DATA },
      data: [...bytesOf(0n, 8), ...bytesOf(1n, 8)],
    })
    expect(outcome.data(16).slice(8)).toEqual(bytesOf(-1n, 8))
    expect(outcome.flags).toBe('CF PF AF SF')
  })

  test('must be writable for the load already: W = 1 in the error code, and no flag changes', () => {
    const outcome = execute('add dword [rbx], 1', { registers: { rbx: READ_ONLY }, rflags: 2 | CF, cpl: 3 })
    expect(outcome.event).toBe('#PF(7)')
    expect(outcome.flags).toBe('CF')
    expect(execute('add dword [rbx], 1', { registers: { rbx: 0n }, cpl: 3 }).event).toBe('#PF(6)')
  })

  test('of CMP and TEST is only read', () => {
    expect(execute('cmp dword [rbx], 1', { registers: { rbx: READ_ONLY } }).event).toBe('')
    expect(execute('test dword [rbx], 1', { registers: { rbx: READ_ONLY } }).event).toBe('')
  })
})
