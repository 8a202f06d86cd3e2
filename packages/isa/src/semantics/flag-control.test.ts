import { BLOCKED_BY_STI, type Cpu, CR4, CR4_PVI, IF, VIF, VIP } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { eventOf, execute, results, statusOf } from './test-machine.js'

test.each([
  ['clc', 0x8d7, 'PF AF ZF SF OF'],
  ['stc', 2, 'CF'],
  ['cmc', 2, 'CF'],
  ['cmc', 3, ''],
  ['std', 2, 'DF'],
  ['cld', 0x402, ''],
])('%s with RFLAGS %i', (source, rflags, after) => {
  expect(execute(source, { rflags }).flags).toBe(after)
})

test('LAHF and SAHF move SF ZF AF PF CF', () => {
  expect(results('lahf', { rflags: 0xcd7, registers: { rax: 0x1234n } })).toEqual({ rax: 0xd734n })
  expect(execute('sahf', { rflags: 0x802, registers: { rax: 0xff00n } }).flags).toBe('CF PF AF ZF SF OF')
})

describe('STI', () => {
  test('blocks maskable interrupts for one instruction when IF goes from 0 to 1 (SDM 3A 6.8.1)', () => {
    const { cpu } = execute('sti')
    expect(Number(cpu.rflags) & IF).toBe(IF)
    expect(statusOf(cpu)).toBe(BLOCKED_BY_STI)
    expect(statusOf(execute('sti\nnop').cpu)).toBe(0)
  })

  test('blocks nothing when IF is 1 already', () => {
    expect(statusOf(execute('sti', { rflags: 0x202 }).cpu)).toBe(0)
  })
})

describe('privilege', () => {
  test.each([
    ['cli', 0x202, '#GP(0)'],
    ['sti', 0x2202, '#GP(0)'],
    ['cli', 0x3202, ''],
    ['sti', 0x3002, ''],
  ])('%s at CPL 3 with RFLAGS %i: %s', (source, rflags, event) => {
    expect(eventOf(source, { cpl: 3, rflags })).toBe(event)
  })

  test('CR4.PVI at CPL 3: VIF in the place of IF, #GP(0) when VIP waits', () => {
    const prepare = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_PVI))
    const flagsAfter = (source: string, rflags: number) =>
      Number(execute(source, { cpl: 3, rflags, prepare }).cpu.rflags)
    expect(flagsAfter('sti', 2)).toBe(2 | VIF)
    expect(flagsAfter('cli', 0x202 | VIF)).toBe(0x202)
    expect(eventOf('sti', { cpl: 3, rflags: 2 | VIP, prepare })).toBe('#GP(0)')
  })
})
