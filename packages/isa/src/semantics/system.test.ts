import { type Cpu, CR4, CR4_OSXSAVE, CR4_PCIDE, HALTED, XCR0 } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { bytesOf, CODE, DATA, eventOf, execute, results, statusOf } from './test-machine.js'

describe('HLT', () => {
  test('halts at the next instruction', () => {
    const { cpu } = execute('hlt\nnop')
    expect(statusOf(cpu)).toBe(HALTED)
    expect(cpu.rip).toBe(CODE + 1n)
  })
})

test.each(['hlt', 'invd', 'wbinvd', 'invlpg [rbx]', 'xsetbv', 'invpcid rax, [rbx]'])(
  '%s at CPL 3 is #GP(0)',
  (source) => {
    const prepare = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_OSXSAVE))
    expect(execute(source, { cpl: 3, prepare, registers: { rbx: DATA } })).toMatchObject({
      event: '#GP(0)',
      changed: {},
    })
  },
)

test.each([
  'nop',
  'pause',
  'nop dword [rbx]',
  'lfence',
  'mfence',
  'sfence',
  'prefetcht0 [rbx]',
  'wbinvd',
  'invd',
  'invlpg [rbx]',
])('%s changes nothing and does not touch memory', (source) => {
  expect(execute(source, { registers: { rbx: 0x8000_0000_0000n } }).event).toBe('')
  expect(results(source)).toEqual({})
})

test('CLFLUSH is checked like a load', () => {
  expect(eventOf('clflush [rbx]', { registers: { rbx: DATA } })).toBe('')
  expect(eventOf('clflush [rbx]', { registers: { rbx: 0n }, cpl: 3 })).toBe('#PF(4)')
  expect(eventOf('clflush [rbx]', { registers: { rbx: 0x8000_0000_0000n } })).toBe('#GP(0)')
})

describe('CLAC and STAC', () => {
  test('change AC at CPL 0', () => {
    expect(execute('stac').cpu.rflags).toBe(0x4_0002n)
    expect(execute('clac', { rflags: 0x4_0002 }).cpu.rflags).toBe(2n)
  })

  test('are #UD at CPL 3 and without SMAP', () => {
    expect(eventOf('stac', { cpl: 3 })).toBe('#UD')
    expect(eventOf('clac', { cpu: 'skylake,-smap' })).toBe('#UD')
  })
})

describe('XGETBV and XSETBV', () => {
  const prepare = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_OSXSAVE))

  test('need CR4.OSXSAVE', () => {
    expect([eventOf('xgetbv'), eventOf('xsetbv')]).toEqual(['#UD', '#UD'])
    expect(eventOf('xsetbv', { cpl: 3 })).toBe('#UD')
  })

  test('read and write XCR0', () => {
    const { cpu } = execute('xsetbv', { prepare, registers: { rax: 3n } })
    expect(cpu.get64(XCR0)).toBe(3n)
    expect(results('xgetbv', { prepare, cpl: 3, registers: { rax: -1n, rdx: -1n } })).toEqual({ rax: 1n, rdx: 0n })
  })

  test.each([
    ['xsetbv', { rax: 2n }],
    ['xsetbv', { rax: 7n }],
    ['xsetbv', { rax: 3n, rdx: 1n }],
    ['xsetbv', { rax: 3n, rcx: 1n }],
    ['xgetbv', { rcx: 1n }],
  ])('%s with %o is #GP(0)', (source, registers) => {
    expect(eventOf(source, { prepare, registers })).toBe('#GP(0)')
  })
})

describe('INVPCID', () => {
  const run = (rax: bigint, pcid: bigint, address: bigint, prepare: (cpu: Cpu) => void = () => {}) =>
    eventOf('invpcid rax, [rbx]', {
      registers: { rax, rbx: DATA },
      data: [...bytesOf(pcid, 8), ...bytesOf(address, 8)],
      prepare,
    })

  test('checks its type and descriptor', () => {
    expect(run(2n, 0n, 0n)).toBe('')
    expect(run(4n, 0n, 0n)).toBe('#GP(0)')
    expect(run(1n << 32n, 0n, 0n)).toBe('#GP(0)')
    expect(run(2n, 0x1000n, 0n)).toBe('#GP(0)')
    expect(run(0n, 0n, 0x8000_0000_0000n)).toBe('#GP(0)')
    expect(run(1n, 5n, 0n)).toBe('#GP(0)')
    expect(run(1n, 5n, 0n, (cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_PCIDE)))).toBe('')
  })

  test('is #UD without PCID', () => {
    expect(eventOf('invpcid rax, [rbx]', { cpu: 'skylake,-pcid', registers: { rbx: DATA } })).toBe('#UD')
  })
})
