import { type Cpu, CR4, CR4_TSD } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { eventOf, execute, results } from './test-machine.js'

const disabled = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_TSD))

test('RDTSC: EDX:EAX, further by the same step each time, and the same in an equal machine', () => {
  const source = 'rdtsc\nmov ebx, eax\nrdtsc'
  const first = results(source, { registers: { rax: -1n, rdx: -1n } })
  expect(first).toEqual({ rax: 200n, rdx: 0n, rbx: 100n })
  expect(results(source, { registers: { rax: -1n, rdx: -1n } })).toEqual(first)
})

test('RDTSC carries into EDX; RDMSR of IA32_TIME_STAMP_COUNTER shows the counter as it stands', () => {
  const source = 'mov ecx, 0x10\nmov eax, 0xffffffff\nmov edx, 2\nwrmsr\nrdtsc\nrdmsr'
  expect(results(source)).toEqual({ rax: 99n, rdx: 3n, rcx: 0x10n })
})

test('RDTSCP adds IA32_TSC_AUX in ECX', () => {
  const source = 'mov ecx, 0xc0000103\nmov eax, 7\nxor edx, edx\nwrmsr\nmov rcx, -1\nrdtscp'
  expect(results(source)).toEqual({ rax: 100n, rcx: 7n })
  expect(eventOf('wrmsr', { registers: { rcx: 0xc000_0103n, rdx: 1n } })).toBe('#GP(0)')
})

test('a snapshot keeps the counter', () => {
  const { cpu } = execute('rdtsc\nrdtsc\nrdtsc')
  const snapshot = cpu.machine.snapshot()
  const hash = cpu.machine.hash()
  cpu.set64(cpu.machine.msrs.get(0x10)!.slot, 0n)
  expect(cpu.machine.hash()).not.toBe(hash)
  cpu.machine.restore(snapshot)
  expect(cpu.get64(cpu.machine.msrs.get(0x10)!.slot)).toBe(300n)
})

describe.each(['rdtsc', 'rdtscp'])('%s with CR4.TSD', (source) => {
  test.each([
    [0 as const, ''],
    [3 as const, '#GP(0)'],
  ])('at CPL %i: "%s"', (cpl, event) => {
    expect(execute(source, { cpl, prepare: disabled }).event).toBe(event)
    expect(eventOf(source, { cpl })).toBe('')
  })
})

test.each([0, 3] as const)('RDPMC at CPL %i is #GP(0): there are no counters', (cpl) => {
  expect(eventOf('rdpmc', { cpl })).toBe('#GP(0)')
})
