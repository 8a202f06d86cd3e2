import { EFER, FS_BASE } from '@trapframe/core'
import { expect, test } from 'vitest'
import { eventOf, execute, results } from './test-machine.js'

const UPPER = 0xdead_beef_0000_0000n

test('RDMSR fills EDX:EAX and clears the upper halves', () => {
  const prepare = (cpu: ReturnType<typeof execute>['cpu']) => cpu.set64(FS_BASE, 0x7fff_1234_5678n)
  const registers = { rax: UPPER, rdx: UPPER, rcx: UPPER | 0xc000_0100n }
  expect(results('rdmsr', { registers, prepare })).toEqual({ rax: 0x1234_5678n, rdx: 0x7fffn })
})

test('WRMSR takes EDX:EAX', () => {
  const registers = { rax: UPPER | 0x1000n, rdx: UPPER | 0x7fffn, rcx: 0xc000_0100n }
  expect(execute('wrmsr', { registers }).cpu.fsBase).toBe(0x7fff_0000_1000n)
})

test('WRMSR of EFER changes what the CPU derives from it', () => {
  const { cpu } = execute('wrmsr', { registers: { rax: 0x500n, rcx: 0xc000_0080n } })
  expect(cpu.get64(EFER)).toBe(0x500n)
  expect(cpu.controls.nxe).toBe(false)
})

test.each([
  ['rdmsr', 0 as const, 0x1234n],
  ['wrmsr', 0 as const, 0x1234n],
  ['rdmsr', 3 as const, 0xc000_0100n],
  ['wrmsr', 3 as const, 0xc000_0100n],
])('%s at CPL %i of MSR %s is #GP(0)', (source, cpl, rcx) => {
  expect(eventOf(source, { cpl, registers: { rcx } })).toBe('#GP(0)')
})

test('WRMSRNS writes as WRMSR does, and is #UD on a CPU without it', () => {
  const registers = { rax: 0x1000n, rdx: 0x7fffn, rcx: 0xc000_0100n }
  expect(execute('wrmsrns', { registers }).cpu.fsBase).toBe(0x7fff_0000_1000n)
  expect(eventOf('wrmsrns', { cpl: 3, registers })).toBe('#GP(0)')
  expect(eventOf('wrmsrns', { cpl: 3, registers, cpu: 'skylake' })).toBe('#UD')
})

test('WRMSR of a non-canonical base is #GP(0)', () => {
  expect(eventOf('wrmsr', { registers: { rdx: 0x8000n, rcx: 0xc000_0100n } })).toBe('#GP(0)')
})
