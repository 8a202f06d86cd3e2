import { createMachine, GDTR, GS, type Machine, TABLE_LIMIT } from '@trapframe/core'
import { toyMechanism } from '@trapframe/core/testing'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { GDT, GUEST_CODE, HOST_CODE, HOST_DATA } from '../flat/memory.js'
import { readFrame } from '../frame/frame.js'
import { fred } from '../plugin.js'

const DATA_AT_1234_5000 = 0x12cf_f334_5000_ffffn

/** A machine about to execute LKGS with `selector` in AX; place 40h of the GDT holds `descriptor`. */
function about(selector: number, descriptor = DATA_AT_1234_5000, site: 'guest' | 'host' = 'host'): Machine {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
  machine.boot('flat-fred').sites[site]!.enter(machine.cpu)
  const { cpu } = machine
  const origin = site === 'host' ? HOST_CODE : GUEST_CODE
  cpu.space.write(origin, assemble('lkgs ax', { origin }).bytes)
  cpu.space.write64(GDT + 0x40n, descriptor)
  cpu.words[GDTR + TABLE_LIMIT] = 0xff
  cpu.setGpr(0, BigInt(selector))
  cpu.gsBase = 0x1111n
  cpu.kernelGsBase = 0x2222n
  return machine
}

describe('A9: LKGS', () => {
  test('loads GS, but the base goes to IA32_KERNEL_GS_BASE', () => {
    const machine = about(0x43)
    machine.step()
    const { cpu } = machine
    expect(cpu.rip).toBe(HOST_CODE + 4n)
    expect(cpu.segment(GS)).toMatchObject({ selector: 0x43, limit: 0xffff_ffff, access: 0xc0f3, base: 0x1111n })
    expect(cpu.kernelGsBase).toBe(0x1234_5000n)
  })

  test('a null selector: base 0, and its RPL stays', () => {
    const machine = about(3)
    machine.step()
    expect(machine.cpu.segment(GS)).toMatchObject({ selector: 3, access: 0x10000, base: 0x1111n })
    expect(machine.cpu.kernelGsBase).toBe(0n)
  })

  test('a selector from memory', () => {
    const machine = about(0)
    const { cpu } = machine
    cpu.space.write(HOST_CODE, assemble('lkgs word [rbx]', { origin: HOST_CODE }).bytes)
    cpu.setGpr(3, HOST_DATA)
    cpu.space.write(HOST_DATA, Uint8Array.of(0x43, 0))
    machine.step()
    expect(cpu.kernelGsBase).toBe(0x1234_5000n)
  })

  test.each([
    ['outside the table', 0x1000, 13, 0x1000],
    ['DPL below RPL', 0x43, 13, 0x40],
    ['not present', 0x43, 11, 0x40],
    ['code that cannot be read', 0x43, 13, 0x40],
    ['a system descriptor', 0x43, 13, 0x40],
  ])('faults as MOV GS: %s; GS, its base and IA32_KERNEL_GS_BASE stay', (what, selector, vector, errorCode) => {
    const descriptors: Record<string, bigint> = {
      'DPL below RPL': DATA_AT_1234_5000 & ~(3n << 45n),
      'not present': DATA_AT_1234_5000 & ~(1n << 47n),
      'code that cannot be read': 0x00af_f900_0000_ffffn,
      'a system descriptor': 0x00cf_e200_0000_ffffn,
    }
    const machine = about(selector, descriptors[what])
    machine.step()
    const { cpu } = machine
    expect(readFrame(cpu)).toMatchObject({ vector, errorCode, rip: HOST_CODE })
    expect([cpu.segment(GS).selector, cpu.gsBase, cpu.kernelGsBase]).toEqual([0, 0x1111n, 0x2222n])
  })

  test('#UD in ring 3', () => {
    const machine = about(0x43, DATA_AT_1234_5000, 'guest')
    machine.step()
    expect(readFrame(machine.cpu)).toMatchObject({ vector: 6, rip: GUEST_CODE })
  })

  test('it works while FRED is off, and is #UD on a CPU without it', () => {
    for (const [cpuName, expected] of [['skylake,+lkgs', []] as const, ['skylake', ['#UD']] as const]) {
      const machine = createMachine({ cpu: cpuName, plugins: [fred(), isa(), toyMechanism({ entry: HOST_CODE })] })
      const { cpu } = machine
      const events: string[] = []
      machine.trace.on('event', ({ event }) => void events.push(event))
      const space = machine.space(0n)
      space.map(HOST_CODE, 5)
      space.map(HOST_DATA, 1)
      space.write(HOST_CODE, assemble('lkgs ax', { origin: HOST_CODE }).bytes)
      cpu.rip = HOST_CODE
      cpu.rsp = HOST_DATA + 0x800n
      cpu.kernelGsBase = 5n
      machine.step()
      expect(events).toEqual(expected)
      expect(cpu.kernelGsBase).toBe(expected.length === 0 ? 0n : 5n)
    }
  })
})
