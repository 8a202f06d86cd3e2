import { UnsupportedError } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { apicMachine, msr, page } from '../test/apic-machine.js'
import { apicMode } from './mode.js'

const BASE = 0x1b
const EN = 0x800n
const EXTD = 0x400n
const AT = 0xfee0_0000n
const GP = '#13(0)'

describe('IA32_APIC_BASE (SDM 3A 11.4.4, 11.12.1)', () => {
  test('after reset: xAPIC mode at fee00000h, and CPU 0 is the bootstrap processor', () => {
    const { cpus } = apicMachine('reset')
    expect(cpus.map((cpu) => msr.read(cpu, BASE))).toEqual([AT | EN | 0x100n, AT | EN, AT | EN])
  })

  test.each([
    ['xAPIC to x2APIC', [EN | EXTD], 'x2apic'],
    ['xAPIC to disabled', [0n], 'disabled'],
    ['xAPIC to disabled and back', [0n, EN], 'xapic'],
    ['x2APIC to disabled', [EN | EXTD, 0n], 'disabled'],
    ['x2APIC to xAPIC', [EN | EXTD, EN], GP],
    ['disabled to x2APIC', [0n, EN | EXTD], GP],
    ['EXTD without EN', [EXTD], GP],
  ] as const)('%s', (_, writes, end) => {
    const { cpu } = apicMachine('reset')
    let last = ''
    for (const bits of writes) last = msr.write(cpu, BASE, AT | bits)
    expect(last === 'done' ? apicMode(cpu) : last).toBe(end)
  })

  test('reserved bits are #GP(0), and so is EXTD on a CPU without x2APIC', () => {
    const { cpu } = apicMachine('reset')
    const older = apicMachine('reset', 1, 'panther-lake,-x2apic').cpu
    expect(msr.write(older, BASE, AT | EN | EXTD)).toBe(GP)
    for (const bit of [0n, 7n, 9n, 52n, 63n]) expect(msr.write(cpu, BASE, AT | EN | (1n << bit))).toBe(GP)
  })

  test('registers elsewhere are not modelled', () => {
    const { cpu } = apicMachine('reset')
    expect(() => msr.write(cpu, BASE, 0xfed0_0000n | EN)).toThrow(UnsupportedError)
  })

  test('being disabled forgets the registers (SDM 3A 11.4.3)', () => {
    const { cpu } = apicMachine('xapic')
    page.write(cpu, 0x80, 0x35)
    msr.write(cpu, BASE, AT)
    msr.write(cpu, BASE, AT | EN)
    expect([page.read(cpu, 0x80), page.read(cpu, 0xf0), page.read(cpu, 0x350)]).toEqual([0, 0xff, 0x10000])
  })
})

describe('the two faces of the registers', () => {
  test('the page is there in xAPIC mode only, the MSRs in x2APIC mode only (SDM 3A 11.12.2)', () => {
    const machine = apicMachine('xapic')
    const [first] = machine.cpus
    expect([page.read(first!, 0x30), msr.read(first!, 0x803)]).toEqual([0x60015, GP])
    msr.write(first!, BASE, AT | EN | EXTD)
    expect([page.read(first!, 0x30), msr.read(first!, 0x803)]).toEqual([0, 0x60015n])
  })

  test('the ID: bits 31:24 of the page, 32 bits of the MSR; the logical one of x2APIC mode follows from it', () => {
    expect(apicMachine('xapic').cpus.map((cpu) => page.read(cpu, 0x20))).toEqual([0, 0x1000000, 0x2000000])
    const { cpus } = apicMachine('x2apic', 18)
    expect(msr.read(cpus[17]!, 0x802)).toBe(17n)
    expect(msr.read(cpus[17]!, 0x80d)).toBe(0x1_0002n)
  })

  test.each([
    ['a register that is not there', 0x801, 0n],
    ['reserved bits of TPR', 0x808, 0x100n],
    ['EOI of anything but 0', 0x80b, 1n],
    ['the version, which is read-only', 0x803, 0n],
    ['the logical ID, which is read-only in x2APIC mode', 0x80d, 0n],
    ['DFR, which x2APIC mode has not', 0x80e, 0n],
    ['ESR of anything but 0', 0x828, 1n],
    ['the delivery status of ICR', 0x830, 0x1000n],
    ['the upper half of ICR as an MSR of its own', 0x831, 0n],
    ['more than a vector to SELF_IPI', 0x83f, 0x100n],
  ])('WRMSR of %s is #GP(0) (SDM 3A 11.12.1.2)', (_, index, value) => {
    expect(msr.write(apicMachine().cpu, index, value)).toBe(GP)
  })

  test('RDMSR of EOI and SELF_IPI is #GP(0)', () => {
    const { cpu } = apicMachine()
    expect([msr.read(cpu, 0x80b), msr.read(cpu, 0x83f)]).toEqual([GP, GP])
  })

  test('a register that the page has not: 0 and an error in ESR, which is read after it was written', () => {
    const { cpu } = apicMachine('xapic')
    expect(page.read(cpu, 0x40)).toBe(0)
    expect(page.read(cpu, 0x280)).toBe(0)
    page.write(cpu, 0x280, 0)
    expect(page.read(cpu, 0x280)).toBe(0x80)
    page.write(cpu, 0x280, 0)
    expect(page.read(cpu, 0x280)).toBe(0)
  })

  test('offsets between the registers, and the timer, are not modelled', () => {
    const { cpu } = apicMachine('xapic')
    expect(() => page.read(cpu, 0x84)).toThrow(UnsupportedError)
    page.write(cpu, 0x380, 0)
    expect(() => page.write(cpu, 0x380, 1000)).toThrow('the timer of the local APIC is started')
  })
})
