import { CR8, IF, type Machine, pendNmi, RFLAGS, STATUS, writeCr8 } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { apicMachine, msr, page, watch } from '../test/apic-machine.js'
import { pulseLint } from './lint.js'

const TPR = 0x808
const PPR = 0x80a
const EOI = 0x80b
const SELF_IPI = 0x83f

const self = (machine: Machine, vector: number): string => msr.write(machine.cpu, SELF_IPI, BigInt(vector))
/** As a handler does before it waits for the next interrupt. */
const sti = (machine: Machine): void => {
  machine.cpu.words[RFLAGS] = machine.cpu.words[RFLAGS]! | IF
}

describe('priorities of fixed interrupts (SDM 3A 11.8)', () => {
  test('the highest class first; the next one waits for EOI unless its class is higher', () => {
    const machine = apicMachine()
    const seen = watch(machine)
    for (const vector of [0x35, 0x52, 0x58]) self(machine, vector)
    expect(machine.step()).toBe('event')
    expect(msr.read(machine.cpu, PPR)).toBe(0x50n)
    sti(machine)
    expect(machine.step()).toBe('instruction')
    self(machine, 0x61)
    expect(machine.step()).toBe('event')
    sti(machine)
    for (let n = 0; n < 3; n++) {
      msr.write(machine.cpu, EOI, 0n)
      machine.step()
      sti(machine)
    }
    expect(seen.filter((line) => line.startsWith('0: '))).toEqual([
      '0: interrupt 0x58',
      '0: interrupt 0x61',
      '0: interrupt 0x52',
      '0: interrupt 0x35',
    ])
    expect(msr.read(machine.cpu, 0x811)).toBe(1n << 21n)
  })

  test('the task priority holds back its own class and below, whether TPR or CR8 sets it', () => {
    const machine = apicMachine()
    const { cpu } = machine
    msr.write(cpu, TPR, 0x57n)
    expect([cpu.get64(CR8), msr.read(cpu, PPR)]).toEqual([5n, 0x57n])
    self(machine, 0x5f)
    expect(machine.step()).toBe('instruction')
    writeCr8(cpu, 4, 0)
    expect(msr.read(cpu, TPR)).toBe(0x40n)
    expect(machine.step()).toBe('event')
  })

  test('the same vector twice is requested once', () => {
    const machine = apicMachine()
    self(machine, 0x40)
    self(machine, 0x40)
    expect(msr.read(machine.cpu, 0x822)).toBe(1n)
    machine.step()
    msr.write(machine.cpu, EOI, 0n)
    sti(machine)
    expect(machine.step()).toBe('instruction')
  })

  test('waits for RFLAGS.IF, and wakes from HLT', () => {
    const machine = apicMachine()
    machine.cpu.words[RFLAGS] = 2
    machine.cpu.rip = 0x2000n
    machine.step()
    self(machine, 0x40)
    expect([machine.cpu.halted, machine.step()]).toEqual([true, 'idle'])
    sti(machine)
    expect([machine.step(), msr.read(machine.cpu, 0x812)]).toEqual(['event', 1n])
  })
})

describe('software disable (SDM 3A 11.4.7.2)', () => {
  test('fixed interrupts that come are not taken; what was requested before still is; local interrupts are masked', () => {
    const machine = apicMachine()
    const { cpu } = machine
    self(machine, 0x40)
    msr.write(cpu, 0x836, 0x400n)
    msr.write(cpu, 0x80f, 0xffn)
    self(machine, 0x50)
    expect([msr.read(cpu, 0x822), msr.read(cpu, 0x836)]).toEqual([1n, 0x10400n])
    msr.write(cpu, 0x836, 0x400n)
    expect(msr.read(cpu, 0x836)).toBe(0x10400n)
    expect(machine.step()).toBe('event')
  })

  test('NMIs still come', () => {
    const machine = apicMachine()
    const seen = watch(machine)
    msr.write(machine.cpus[1]!, 0x80f, 0xffn)
    msr.write(machine.cpu, 0x830, 0x1_0000_0400n)
    machine.step(1)
    expect(seen).toEqual(['0 sent NMI to 1', '1 accepted NMI', '1: NMI'])
  })
})

describe('vectors below 16 (SDM 3A 11.5.3)', () => {
  test('are not sent: an error in ESR, and the interrupt of the error entry', () => {
    const machine = apicMachine()
    msr.write(machine.cpu, 0x837, 0xf0n)
    const seen = watch(machine)
    self(machine, 0x0f)
    expect(machine.step()).toBe('event')
    expect(seen).toEqual(['0: interrupt 0xf0'])
    msr.write(machine.cpu, 0x828, 0n)
    expect(msr.read(machine.cpu, 0x828)).toBe(0x20n)
  })
})

describe('local interrupt pins (SDM 3A 11.5.1)', () => {
  test('LINT1 as NMI, unless it is masked; a disabled local APIC passes it on', () => {
    const machine = apicMachine('xapic')
    const { cpu } = machine
    pulseLint(cpu, 1)
    expect(cpu.words[STATUS]).toBe(0)
    page.write(cpu, 0x360, 0x400)
    pulseLint(cpu, 1)
    const nmiPending = cpu.words[STATUS]
    cpu.words[STATUS] = 0
    msr.write(cpu, 0x1b, 0xfee0_0100n)
    pulseLint(cpu, 1)
    expect(cpu.words[STATUS]).toBe(nmiPending)
    cpu.words[STATUS] = 0
    pendNmi(cpu)
    expect(cpu.words[STATUS]).toBe(nmiPending)
  })

  test('LINT0 as a fixed interrupt; ExtINT is not modelled', () => {
    const machine = apicMachine('xapic')
    page.write(machine.cpu, 0x350, 0x44)
    pulseLint(machine.cpu, 0)
    expect(page.read(machine.cpu, 0x220)).toBe(0x10)
    page.write(machine.cpu, 0x350, 0x700)
    expect(() => pulseLint(machine.cpu, 0)).toThrow('delivery mode 7')
  })
})
