import { describe, expect, test } from 'vitest'
import { UnsupportedError } from '../error.js'
import { Fault } from '../event/fault.js'
import { createMachine } from '../machine/machine.js'
import { definePlugin } from '../plugin/plugin.js'
import { CR4_CET, CR4_LA57, CR4_PAE, CR4_PCIDE, CR4_SMEP, CR4_UMIP, EFER_LMA, EFER_LME } from '../state/control.js'
import { CR0, CR3, CR4, CR8, CS, EFER } from '../state/registers.js'
import { writeCr0, writeCr3, writeCr4, writeCr8 } from './control-registers.js'
import type { Cpu } from './cpu.js'

const CR0_NOW = 0x8005_0031n

const newCpu = (model = 'panther-lake'): Cpu => createMachine({ cpu: model }).cpu

type Write = (cpu: Cpu, lo: number, hi: number) => void

/** What a write does: the register afterwards, or the fault. */
function outcome(cpu: Cpu, write: Write, slot: number, value: bigint): bigint | string {
  const before = cpu.get64(slot)
  try {
    write(cpu, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)))
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    expect(cpu.get64(slot)).toBe(before)
    return `fault ${thrown.vector} ${thrown.errorCode}`
  }
  return cpu.get64(slot)
}

const REFUSED = 'fault 13 0'
const cr0 = (cpu: Cpu, value: bigint) => outcome(cpu, writeCr0, CR0, value)
const cr3 = (cpu: Cpu, value: bigint) => outcome(cpu, writeCr3, CR3, value)
const cr4 = (cpu: Cpu, value: bigint) => outcome(cpu, writeCr4, CR4, value)
const bits = (...values: number[]): bigint => BigInt(values.reduce((all, bit) => all | bit, 0) >>> 0)

describe('CR0 (SDM 3A 2.5)', () => {
  test('ET is always 1, bits that do not exist stay 0', () => {
    expect(cr0(newCpu(), CR0_NOW & ~0x10n)).toBe(CR0_NOW)
    expect(cr0(newCpu(), CR0_NOW | 0x1ffc_ffc0n)).toBe(CR0_NOW)
  })

  test.each([
    ['a bit above 31', CR0_NOW | (1n << 32n)],
    ['PG without PE', CR0_NOW & ~1n],
    ['NW without CD', CR0_NOW | (1n << 29n)],
    ['PG cleared in 64-bit mode', CR0_NOW & ~(1n << 31n)],
  ])('%s is #GP(0)', (_, value) => {
    expect(cr0(newCpu(), value)).toBe(REFUSED)
  })

  test('WP cannot be cleared while CR4.CET is set', () => {
    const cpu = newCpu()
    expect(cr0(cpu, CR0_NOW & ~0x10000n)).toBe(CR0_NOW & ~0x10000n)
    expect(cpu.controls.wp).toBe(false)
    expect(cr0(cpu, CR0_NOW)).toBe(CR0_NOW)
    expect(cr4(cpu, bits(CR4_PAE, CR4_CET))).toBe(bits(CR4_PAE, CR4_CET))
    expect(cr0(cpu, CR0_NOW & ~0x10000n)).toBe(REFUSED)
  })

  test('in compatibility mode clearing PG is #GP(0) with CR4.PCIDE, and otherwise not modelled', () => {
    const cpu = newCpu()
    cpu.setSegment(CS, { ...cpu.segment(CS), access: 0xc09b })
    expect(() => cr0(cpu, CR0_NOW & ~(1n << 31n))).toThrow(UnsupportedError)
    cpu.setControl(CR4, bits(CR4_PAE, CR4_PCIDE))
    expect(cr0(cpu, CR0_NOW & ~(1n << 31n))).toBe(REFUSED)
  })

  test('setting PG with EFER.LME enters long mode, for which CR4.PAE is needed', () => {
    const cpu = newCpu()
    cpu.set64(CR0, CR0_NOW & ~(1n << 31n))
    cpu.set64(EFER, BigInt(EFER_LME))
    cpu.set64(CR4, 0n)
    cpu.refresh()
    expect(cr0(cpu, CR0_NOW)).toBe(REFUSED)
    cpu.set64(CR4, BigInt(CR4_PAE))
    expect(cr0(cpu, CR0_NOW)).toBe(CR0_NOW)
    expect(cpu.get64(EFER)).toBe(BigInt(EFER_LME | EFER_LMA))
  })
})

describe('CR3', () => {
  test('selects an address space', () => {
    const cpu = newCpu()
    expect(cr3(cpu, 0x1_2345_6018n)).toBe(0x1_2345_6018n)
    expect(cpu.space).toBe(cpu.machine.space(0x1_2345_6000n))
  })

  test('bits from 52 on are reserved; bit 63 is allowed with CR4.PCIDE and not stored', () => {
    const cpu = newCpu()
    expect(cr3(cpu, 1n << 52n)).toBe(REFUSED)
    expect(cr3(cpu, (1n << 63n) | 0x5001n)).toBe(REFUSED)
    cpu.setControl(CR4, bits(CR4_PAE, CR4_PCIDE))
    expect(cr3(cpu, (1n << 63n) | 0x5001n)).toBe(0x5001n)
  })
})

describe('CR4', () => {
  test('a bit needs its feature', () => {
    expect(cr4(newCpu('panther-lake'), bits(CR4_PAE, CR4_UMIP))).toBe(bits(CR4_PAE, CR4_UMIP))
    expect(cr4(newCpu('skylake'), bits(CR4_PAE, CR4_UMIP))).toBe(REFUSED)
    expect(cr4(newCpu('skylake,-smep'), bits(CR4_PAE, CR4_SMEP))).toBe(REFUSED)
    expect(cr4(newCpu('skylake'), bits(CR4_PAE, CR4_CET))).toBe(REFUSED)
    expect(cr4(newCpu(), bits(CR4_PAE) | (1n << 13n))).toBe(REFUSED)
  })

  test('the new value counts at once', () => {
    const cpu = newCpu()
    cr4(cpu, bits(CR4_PAE, CR4_SMEP))
    expect(cpu.controls.smep).toBe(true)
  })

  test('long mode keeps PAE and LA57', () => {
    expect(cr4(newCpu(), 0n)).toBe(REFUSED)
    expect(cr4(newCpu('diamond-rapids'), bits(CR4_PAE, CR4_LA57))).toBe(REFUSED)
  })

  test('CET needs CR0.WP', () => {
    const cpu = newCpu()
    cpu.setControl(CR0, CR0_NOW & ~0x10000n)
    expect(cr4(cpu, bits(CR4_PAE, CR4_CET))).toBe(REFUSED)
  })

  test('PCIDE can be set with a PCID of 0 only', () => {
    const cpu = newCpu()
    cpu.set64(CR3, 0x5001n)
    expect(cr4(cpu, bits(CR4_PAE, CR4_PCIDE))).toBe(REFUSED)
    cpu.set64(CR3, 0x5000n)
    expect(cr4(cpu, bits(CR4_PAE, CR4_PCIDE))).toBe(bits(CR4_PAE, CR4_PCIDE))
    cpu.set64(CR3, 0x5001n)
    expect(cr4(cpu, bits(CR4_PAE, CR4_PCIDE, CR4_SMEP))).toBe(bits(CR4_PAE, CR4_PCIDE, CR4_SMEP))
  })

  test('a plugin gives a bit its meaning, above bit 31 too, with a feature and long mode as conditions', () => {
    const plugin = definePlugin({
      name: 'acme',
      setup(host) {
        host.features.implement('acme')
        host.cr4.define({ bit: 40, name: 'ACME', feature: 'acme', longModeOnly: true })
      },
    })
    const withPlugin = (cpu: string): Cpu => createMachine({ cpu, plugins: [plugin] }).cpu
    const value = bits(CR4_PAE) | (1n << 40n)
    expect(cr4(withPlugin('skylake,+acme'), value)).toBe(value)
    expect(cr4(withPlugin('skylake'), value)).toBe(REFUSED)
    expect(cr4(newCpu(), value)).toBe(REFUSED)
    const outside = withPlugin('skylake,+acme')
    outside.setControl(EFER, 0n)
    expect(cr4(outside, value)).toBe(REFUSED)
  })
})

test('CR8 takes four bits', () => {
  const cpu = newCpu()
  expect(outcome(cpu, writeCr8, CR8, 15n)).toBe(15n)
  expect(outcome(cpu, writeCr8, CR8, 16n)).toBe(REFUSED)
  expect(outcome(cpu, writeCr8, CR8, 1n << 32n)).toBe(REFUSED)
})
