import {
  AC,
  BLOCKED_BY_NMI,
  type Cpu,
  CR2,
  CR4,
  CR4_SMAP,
  createMachine,
  type Machine,
  PAGE_USER,
  PAGE_WRITABLE,
  type RaisedEvent,
  raise,
  STATUS,
  writeMsr,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { ENTRY_PAGE, shadowTop, stackTop } from '../flat/memory.js'
import { readFrame } from '../frame/frame.js'
import { IA32_FRED_CONFIG, IA32_FRED_RSP0, IA32_FRED_STKLVLS } from '../msrs.js'
import { fred } from '../plugin.js'

function flat(site: 'guest' | 'host', options = {}): { machine: Machine; cpu: Cpu } {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred()] })
  machine.boot('flat-fred', { options }).sites[site]!.enter(machine.cpu)
  return { machine, cpu: machine.cpu }
}

const level = (cpu: Cpu): number => Number(cpu.get64(cpu.machine.msrs.get(IA32_FRED_CONFIG)!.slot) & 3n)
/** Gives vectors a stack level each. */
const setLevels = (cpu: Cpu, levels: Readonly<Record<number, bigint>>): void => {
  let value = 0n
  for (const [vector, wanted] of Object.entries(levels)) value |= wanted << BigInt(2 * Number(vector))
  writeMsr(cpu, IA32_FRED_STKLVLS, value)
}

const UD: RaisedEvent = { kind: 'hardwareException', vector: 6 }
const GP: RaisedEvent = { kind: 'hardwareException', vector: 13, errorCode: 0 }
const PF: RaisedEvent = { kind: 'hardwareException', vector: 14, errorCode: 4, eventData: 0x1234n }
const SOFT: readonly RaisedEvent[] = [
  { kind: 'externalInterrupt', vector: 0x30 },
  { kind: 'nmi' },
  { kind: 'softwareInterrupt', vector: 0x80 },
  { kind: 'int3' },
  { kind: 'int1' },
  { kind: 'syscall' },
  { kind: 'sysenter' },
]

describe('A12: what a fault while the frame is pushed becomes', () => {
  test('during any event but a contributory exception or #PF: a nested #PF, which says where the push failed', () => {
    for (const event of [...SOFT, UD]) {
      const { cpu } = flat('host')
      setLevels(cpu, { 14: 1n })
      const { rip } = cpu
      cpu.rsp = 0xdead_0800n
      raise(cpu, event)
      expect(readFrame(cpu), event.kind).toMatchObject({
        type: 3,
        vector: 14,
        errorCode: 2,
        nested: true,
        softwareEvent: false,
        nmi: false,
        length: 0,
        rip,
        rsp: 0xdead_0800n,
        eventData: 0xdead_07f8n,
      })
      expect(cpu.get64(CR2)).toBe(0xdead_07f8n)
      expect(level(cpu)).toBe(1)
      expect(cpu.words[STATUS]).toBe(0)
    }
  })

  test('#PF during #PF: #DF, with error code 0, never nested; CR2 has the address of the second', () => {
    const { cpu } = flat('host')
    cpu.rsp = 0xdead_0800n
    raise(cpu, PF)
    expect(readFrame(cpu)).toMatchObject({ vector: 8, type: 3, errorCode: 0, nested: false, eventData: 0n })
    expect(cpu.get64(CR2)).toBe(0xdead_07f8n)
    expect(level(cpu)).toBe(3)
    expect(cpu.rsp).toBe(stackTop(0, 3) - 64n)
  })

  test('#SS during #GP: #DF; #PF during #GP: a nested #PF (the classes of SDM 3A 6.15)', () => {
    const noncanonical = flat('host').cpu
    setLevels(noncanonical, { 8: 3n, 14: 1n })
    noncanonical.rsp = 0x8000_0000_0000_0000n
    raise(noncanonical, GP)
    expect(readFrame(noncanonical)).toMatchObject({ vector: 8, nested: false })

    const absent = flat('host').cpu
    setLevels(absent, { 14: 2n })
    absent.rsp = 0xdead_0800n
    raise(absent, GP)
    expect(readFrame(absent)).toMatchObject({ vector: 14, nested: true })
  })

  test('a fault while #DF is delivered: shutdown', () => {
    const { machine, cpu } = flat('host')
    machine.space(0n).unmap(stackTop(0, 3) - 0x1000n)
    cpu.rsp = 0xdead_0800n
    raise(cpu, PF)
    expect(cpu.isShutdown).toBe(true)
  })

  test('a stack page of ring 3: good for a push without SMAP; with it only in ring 0, with RFLAGS.AC', () => {
    const outcomes = ([smap, ac, site]: readonly [boolean, boolean, 'guest' | 'host']): number => {
      const { machine, cpu } = flat(site)
      if (smap) cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_SMAP))
      if (ac) cpu.rflags |= BigInt(AC)
      machine.space(0n).map(0x70_0000n, PAGE_WRITABLE | PAGE_USER)
      setLevels(cpu, { 14: 1n })
      cpu.rsp = 0x70_0800n
      if (site === 'guest') writeMsr(cpu, IA32_FRED_RSP0, 0x70_0800n)
      raise(cpu, UD)
      const frame = readFrame(cpu)
      if (frame.vector === 14) expect(frame).toMatchObject({ errorCode: 3, nested: true, eventData: 0x70_07f8n })
      return frame.vector
    }
    expect(outcomes([false, false, 'host'])).toBe(6)
    expect(outcomes([true, false, 'host'])).toBe(14)
    expect(outcomes([true, true, 'host'])).toBe(6)
    expect(outcomes([false, false, 'guest'])).toBe(6)
    expect(outcomes([true, true, 'guest'])).toBe(14)
  })
})

describe('A10: nested from ring 3, only the level follows the rules of ring 0', () => {
  test('a ring 3 event whose SL0 stack is absent: #PF at its own level, with the state of ring 3, at +0, GS exchanged', () => {
    const { machine, cpu } = flat('guest')
    machine.space(0n).unmap(stackTop(0, 0) - 0x1000n)
    setLevels(cpu, { 14: 2n })
    const { rip, rsp, gsBase, kernelGsBase } = cpu
    raise(cpu, UD)
    expect(readFrame(cpu)).toMatchObject({ vector: 14, errorCode: 2, nested: true, rip, rsp, cs: 0x2b, stackLevel: 0 })
    expect(cpu.rip).toBe(ENTRY_PAGE)
    expect(cpu.rsp).toBe(stackTop(0, 2) - 64n)
    expect([cpu.gsBase, cpu.kernelGsBase]).toEqual([kernelGsBase, gsBase])
  })

  test('the same with level 0 for #PF: #DF (F5: IA32_FRED_RSP0 leads nowhere)', () => {
    const { cpu } = flat('guest')
    writeMsr(cpu, IA32_FRED_RSP0, 0n)
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect(readFrame(cpu)).toMatchObject({ vector: 8, cs: 0x2b, nested: false })
    expect(cpu.get64(CR2)).toBe(0xffff_ffff_ffff_fff8n)
    expect(cpu.rip).toBe(ENTRY_PAGE)
  })

  test('F8: CR4.FRED before any MSR is set: the first event ends in shutdown', () => {
    const { cpu } = flat('guest')
    for (const level of [0, 1, 2, 3]) writeMsr(cpu, IA32_FRED_RSP0 + level, 0n)
    writeMsr(cpu, IA32_FRED_CONFIG, 0n)
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect(cpu.isShutdown).toBe(true)
  })
})

describe('nothing changes before the frame is complete', () => {
  test('an NMI that cannot be pushed has not blocked NMIs when its #PF arrives', () => {
    const { cpu } = flat('host')
    setLevels(cpu, { 14: 3n })
    cpu.rsp = 0xdead_0800n
    raise(cpu, { kind: 'nmi' })
    expect(readFrame(cpu)).toMatchObject({ vector: 14, nmi: false })
    expect(cpu.words[STATUS]! & BLOCKED_BY_NMI).toBe(0)
  })

  test('shadow stacks: the frame stays in memory, the nested one says what RSP, SSP and level were before', () => {
    const { machine, cpu } = flat('host', { shadowStacks: true })
    machine.space(0n).unmap(shadowTop(0, 0) - 0x1000n)
    setLevels(cpu, { 14: 1n })
    const { rip, rsp, ssp } = cpu
    raise(cpu, UD)
    expect(readFrame(cpu)).toMatchObject({ vector: 14, errorCode: 0x42, eventData: ssp - 4n, rip, rsp, stackLevel: 0 })
    expect(cpu.ssp).toBe(shadowTop(0, 1) - 24n)
    expect(cpu.space.read64(cpu.ssp)).toBe(ssp)
    expect(cpu.space.read64(rsp - 64n + 8n)).toBe(rip)
  })
})
