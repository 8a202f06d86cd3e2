import { CR4, CR4_OSXSAVE, createMachine, definePlugin } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { cpuid } from './identification.js'
import { results, testCpu } from './test-machine.js'

const bit = (n: number) => 1 << n

test('leaf 0 and 80000000h: highest leaf and vendor', () => {
  const text = (words: readonly number[]) => Buffer.from(Int32Array.from(words).buffer).toString('latin1')
  const [intel, amd] = ['panther-lake', 'zen4'].map((cpu) => cpuid(testCpu({ cpu }), 0, 0))
  expect(text([intel![1], intel![3], intel![2]])).toBe('GenuineIntel')
  expect(text([amd![1], amd![3], amd![2]])).toBe('AuthenticAMD')
  expect(intel![0]).toBe(7)
  expect(cpuid(testCpu(), 0x80000000, 0)[0] >>> 0).toBe(0x80000008)
})

test.each([
  ['skylake', 0x50650],
  ['panther-lake', 0xc06c0],
  ['zen4', 0xa10f10],
  ['diamond-rapids', 0x400f10],
])('leaf 1, EAX: family and model of %s', (cpu, signature) => {
  expect(cpuid(testCpu({ cpu }), 1, 0)[0]).toBe(signature)
})

test('OSXSAVE shows CR4.OSXSAVE', () => {
  const cpu = testCpu()
  expect(cpuid(cpu, 1, 0)[2] & bit(27)).toBe(0)
  cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_OSXSAVE))
  expect(cpuid(cpu, 1, 0)[2] & bit(27)).toBe(bit(27))
})

describe('leaf 7', () => {
  test('UMIP, CET, LA57 by model', () => {
    const leaf = (cpu: string) => cpuid(testCpu({ cpu }), 7, 0)
    expect(leaf('skylake')[2]).toBe(0)
    expect(leaf('sapphire-rapids')[2]).toBe(bit(2) | bit(7) | bit(16))
    expect(leaf('sapphire-rapids')[3]).toBe(bit(20))
    expect(leaf('zen4')[3]).toBe(0)
  })

  test('A19: FRED and LKGS, subleaf 1 EAX[17] and [18], show when a plugin implements them', () => {
    expect(cpuid(testCpu({ cpu: 'panther-lake' }), 7, 1)).toEqual([bit(19), 0, 0, 0])
    const implementer = definePlugin({
      name: 'implementer',
      setup: (host) => host.features.implement('fred', 'lkgs'),
    })
    const machine = (cpu: string) => createMachine({ cpu, plugins: [implementer] }).cpu
    expect(cpuid(machine('panther-lake'), 7, 1)[0]).toBe(bit(17) | bit(18))
    expect(cpuid(machine('panther-lake,-lkgs'), 7, 1)[0]).toBe(bit(17))
    expect(cpuid(machine('skylake'), 7, 1)[0]).toBe(0)
  })
})

test('leaf 1 and 7.1: VMX and WRMSRNS by model, TSC for all', () => {
  const leaf1 = (cpu: string) => cpuid(testCpu({ cpu }), 1, 0)
  expect(leaf1('skylake')[2] & bit(5)).toBe(bit(5))
  expect(leaf1('skylake,-vmx')[2] & bit(5)).toBe(0)
  expect(leaf1('zen4')[2] & bit(5)).toBe(0)
  expect(leaf1('zen4')[3] & bit(4)).toBe(bit(4))
  expect(cpuid(testCpu({ cpu: 'sapphire-rapids' }), 7, 1)[0]).toBe(0)
})

test('leaf 80000001h: long mode, RDTSCP, NX, and SYSCALL where it works', () => {
  const edx = (cpu: string, bits: 64 | 32) => cpuid(testCpu({ cpu, bits }), 0x80000001, 0)[3]
  expect(edx('panther-lake', 64)).toBe(bit(29) | bit(27) | bit(20) | bit(11))
  expect(edx('panther-lake', 32)).toBe(bit(29) | bit(27) | bit(20))
  expect(edx('zen4', 32) & bit(11)).toBe(bit(11))
})

test('leaf 80000008h: address widths', () => {
  expect(cpuid(testCpu({ cpu: 'skylake' }), 0x80000008, 0)[0]).toBe(0x3034)
  expect(cpuid(testCpu({ cpu: 'zen6' }), 0x80000008, 0)[0]).toBe(0x3934)
})

test('CPUID reads EAX and ECX and clears the upper halves', () => {
  const registers = { rax: 0xdead_0000_8000_0008n, rbx: -1n, rcx: -1n, rdx: -1n }
  expect(results('cpuid', { registers })).toEqual({ rax: 0x3034n, rbx: 0n, rcx: 0n, rdx: 0n })
})
