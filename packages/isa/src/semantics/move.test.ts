import { CF, OF, SF, ZF } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, DATA, eventOf, execute, READ_ONLY, results } from './test-machine.js'

const RAX = 0x8899_aabb_ccdd_eeffn

describe('MOV', () => {
  test.each([
    ['mov ecx, eax', 0xccdd_eeffn],
    ['mov cx, ax', 0x1111_1111_1111_eeffn],
    ['mov cl, ah', 0x1111_1111_1111_11een],
    ['mov ch, al', 0x1111_1111_1111_ff11n],
    ['mov rcx, -1', 0xffff_ffff_ffff_ffffn],
    ['mov ecx, -1', 0xffff_ffffn],
    ['mov rcx, 0x123456789abcdef0', 0x1234_5678_9abc_def0n],
  ])('%s', (source, rcx) => {
    expect(results(source, { registers: { rax: RAX, rcx: 0x1111_1111_1111_1111n } })).toEqual({ rcx })
  })

  test('an absolute 64-bit address', () => {
    expect(results(`mov rax, [abs qword ${DATA}]`, { data: [5] })).toEqual({ rax: 5n })
  })

  test('a fault leaves registers alone: #PF, #GP(0), #SS(0)', () => {
    const registers = { rbx: DATA + 0xffcn, rcx: 0x8000_0000_0000n, rbp: 0x8000_0000_0000n }
    for (const [source, event] of [
      ['mov rax, [rbx]', '#PF(0)'],
      ['mov [rbx], rax', '#PF(2)'],
      ['mov rax, [rcx]', '#GP(0)'],
      ['mov rax, [rbp]', '#SS(0)'],
    ] as const) {
      const outcome = execute(source, { registers })
      expect(outcome.event).toBe(event)
      expect(outcome.changed).toEqual({})
    }
  })

  test('#AC(0) at CPL 3 with CR0.AM and RFLAGS.AC', () => {
    const setup = { registers: { rbx: DATA + 1n }, rflags: 0x40002 }
    expect(eventOf('mov eax, [rbx]', { ...setup, cpl: 3 })).toBe('#AC(0)')
    expect(eventOf('mov al, [rbx]', { ...setup, cpl: 3 })).toBe('')
    expect(eventOf('mov eax, [rbx]', { ...setup, cpl: 0 })).toBe('')
  })
})

describe('extension', () => {
  test.each([
    ['movzx ecx, al', 0xffn],
    ['movzx rcx, ax', 0xeeffn],
    ['movzx cx, ah', 0xeen],
    ['movsx ecx, al', 0xffff_ffffn],
    ['movsx rcx, ax', 0xffff_ffff_ffff_eeffn],
    ['movsx cx, al', 0xffffn],
    ['movsxd rcx, eax', 0xffff_ffff_ccdd_eeffn],
  ])('%s', (source, rcx) => {
    expect(results(source, { registers: { rax: RAX } })).toEqual({ rcx })
  })
})

describe('LEA', () => {
  test.each([
    ['lea rax, [rbx+rcx*8+16]', 0x10_0000_0018n],
    ['lea eax, [rbx+rcx*8+16]', 0x18n],
    ['lea ax, [rbx+rcx*8+0x1234]', 0x123cn],
    ['lea rax, [rcx*2-3]', 0xffff_ffff_ffff_ffffn],
    ['lea rax, [ebx-1]', 0xffff_ffffn],
  ])('%s', (source, rax) => {
    expect(results(source, { registers: { rbx: 0x10_0000_0000n, rcx: 1n } })).toEqual({ rax })
  })

  test('accesses nothing', () => {
    expect(results('lea rax, [rbx]', { registers: { rbx: 0x8000_0000_0000_0000n } })).toEqual({
      rax: 0x8000_0000_0000_0000n,
    })
  })

  test('RIP-relative addresses count from the next instruction', () => {
    expect(results('nop\nlea rax, [rip+0]')).toEqual({ rax: 0x10008n })
  })
})

describe('XCHG', () => {
  test('of registers', () => {
    expect(results('xchg rax, rcx', { registers: { rax: 1n, rcx: 2n } })).toEqual({ rax: 2n, rcx: 1n })
    expect(results('xchg al, ah', { registers: { rax: 0x1234n } })).toEqual({ rax: 0x3412n })
  })

  test('with memory, which must be writable', () => {
    const outcome = execute('xchg [rbx], eax', { registers: { rbx: DATA, rax: RAX }, data: [9] })
    expect(outcome.changed.rax).toBe(9n)
    expect(outcome.data(4)).toEqual(bytesOf(0xccdd_eeffn, 4))
    expect(eventOf('xchg [rbx], eax', { registers: { rbx: READ_ONLY }, cpl: 3 })).toBe('#PF(7)')
  })
})

test.each([
  ['bswap rax', 0xffee_ddcc_bbaa_9988n],
  ['bswap eax', 0xffee_ddccn],
  ['bswap ax', 0x8899_aabb_ccdd_0000n],
])('%s', (source, rax) => {
  expect(results(source, { registers: { rax: RAX } })).toEqual({ rax })
})

describe('conditions', () => {
  const cases: readonly (readonly [string, number, boolean])[] = [
    ['o', OF, true],
    ['ne', ZF, false],
    ['b', CF, true],
    ['a', 0, true],
    ['a', ZF, false],
    ['be', CF, true],
    ['l', SF, true],
    ['l', SF | OF, false],
    ['ge', SF | OF, true],
    ['ge', OF, false],
    ['g', SF | OF, true],
    ['g', ZF | SF | OF, false],
    ['le', OF, true],
    ['le', 0, false],
  ]

  test.each(cases)('%s with RFLAGS %i', (suffix, flags, holds) => {
    const rflags = 2 | flags
    expect(results(`set${suffix} al`, { rflags, registers: { rax: 0x55n } })).toEqual({ rax: holds ? 1n : 0n })
    expect(results(`cmov${suffix} rax, rcx`, { rflags, registers: { rcx: 7n } })).toEqual(holds ? { rax: 7n } : {})
  })

  test('CMOVcc reads memory and clears the upper half even when its condition fails', () => {
    expect(eventOf('cmove eax, [rbx]', { registers: { rbx: 0n } })).toBe('#PF(0)')
    expect(results('cmove eax, ecx', { registers: { rax: RAX } })).toEqual({ rax: 0xccdd_eeffn })
  })
})

test('XLATB indexes by AL alone', () => {
  const registers = { rax: 0xffff_ff03n, rbx: DATA }
  expect(results('xlatb', { registers, data: [0, 0, 0, 0xaa] })).toEqual({ rax: 0xffff_ffaan })
})
