import { type Cpu, CR0, CR0_EM, CR0_TS, CR4, CR4_OSFXSR, XMM } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { DATA, eventOf, execute, READ_ONLY } from './test-machine.js'

const BYTES = Array.from({ length: 16 }, (_, i) => i + 1)

const prepare = (cpu: Cpu) => {
  cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_OSFXSR))
  cpu.words.set([1, 2, 3, 4], XMM + 4)
}

const xmm = (cpu: Cpu, n: number) => [...cpu.words.subarray(XMM + 4 * n, XMM + 4 * n + 4)]

describe.each(['movaps', 'movapd', 'movdqa', 'movups', 'movupd', 'movdqu'])('%s', (name) => {
  test('between registers, from memory, to memory', () => {
    expect(xmm(execute(`${name} xmm9, xmm1`, { prepare }).cpu, 9)).toEqual([1, 2, 3, 4])
    const loaded = execute(`${name} xmm0, [rbx]`, { prepare, registers: { rbx: DATA }, data: BYTES })
    expect(xmm(loaded.cpu, 0)).toEqual([0x04030201, 0x08070605, 0x0c0b0a09, 0x100f0e0d])
    const stored = execute(`${name} [rbx], xmm1`, { prepare, registers: { rbx: DATA } })
    expect(stored.data(16)).toEqual([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0])
  })

  test('misaligned: the aligned ones are #GP(0)', () => {
    const aligned = name.includes('a')
    expect(eventOf(`${name} xmm0, [rbx]`, { prepare, registers: { rbx: DATA + 8n } })).toBe(aligned ? '#GP(0)' : '')
  })
})

test('MOVUPS at CPL 3 is #AC(0) for any address that is not a multiple of 16, as on Zen 4', () => {
  const setup = { prepare, cpl: 3 as const, rflags: 0x40002 }
  expect(eventOf('movups xmm0, [rbx]', { ...setup, registers: { rbx: DATA + 4n } })).toBe('#AC(0)')
  expect(eventOf('movups xmm0, [rbx]', { ...setup, registers: { rbx: DATA + 16n } })).toBe('')
  expect(eventOf('movaps xmm0, [rbx]', { ...setup, registers: { rbx: DATA + 4n } })).toBe('#GP(0)')
})

test('MOVUPS across a page writes nothing when the second page faults', () => {
  const outcome = execute('movups [rbx], xmm1', { prepare, registers: { rbx: DATA + 0xff8n } })
  expect(outcome.event).toBe('#PF(2)')
  expect(outcome.data(4096).slice(-8)).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
  expect(eventOf('movaps [rbx], xmm1', { prepare, registers: { rbx: READ_ONLY } })).toBe('#PF(3)')
})

test.each(['xorps', 'xorpd', 'pxor'])('%s', (name) => {
  expect(xmm(execute(`${name} xmm1, xmm1`, { prepare }).cpu, 1)).toEqual([0, 0, 0, 0])
  const outcome = execute(`${name} xmm1, [rbx]`, { prepare, registers: { rbx: DATA }, data: [0xff, 0, 0, 0, 2] })
  expect(xmm(outcome.cpu, 1)).toEqual([0xfe, 0, 3, 4])
})

const withCr0 = (bits: number) => (cpu: Cpu) => {
  prepare(cpu)
  cpu.words[CR0] = cpu.words[CR0]! | bits
}

test.each([
  ['without CR4.OSFXSR', (): void => {}, '#UD'],
  ['with CR0.EM', withCr0(CR0_EM), '#UD'],
  ['with CR0.TS', withCr0(CR0_TS), '#NM'],
])('%s: %s', (_, change, event) => {
  expect(eventOf('movaps xmm0, [rbx]', { prepare: change, registers: { rbx: 1n } })).toBe(event)
})
