import {
  createMachine,
  type Machine,
  type MachineError,
  PAGE_EXECUTABLE,
  PAGE_WRITABLE,
  readMsr,
  run,
  writeMsr,
} from '@trapframe/core'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { IA32_FRED_CONFIG, IA32_FRED_RSP0 } from '../msrs.js'
import { fred } from '../plugin.js'
import { GUEST_CODE, HOST_CODE, shadowTop, stackTop } from './memory.js'

const machineWith = (cpus = 1, cpu = 'panther-lake'): Machine => createMachine({ cpu, cpus, plugins: [fred(), isa()] })

describe('host flat-fred', () => {
  test('every CPU is in ring 3 under FRED, with stacks of its own', () => {
    const machine = machineWith(3)
    const boot = machine.boot('flat-fred')
    expect(boot.delivery).toBe('fred')
    for (const cpu of machine.cpus) {
      expect([cpu.cpl, cpu.rip, cpu.codeSize, cpu.mechanism?.name]).toEqual([3, GUEST_CODE, 64, 'fred'])
    }
    expect(new Set(machine.cpus.map((cpu) => readMsr(cpu, IA32_FRED_RSP0))).size).toBe(3)
  })

  test.each(['panther-lake', 'diamond-rapids', 'zen6'])('it runs on %s: 1000 system calls and back', (name) => {
    const machine = machineWith(1, name)
    machine.boot('flat-fred')
    const { cpu } = machine
    const source = 'again: int 0x80\ndec ecx\njnz again\nhang: jmp hang'
    cpu.space.write(GUEST_CODE, assemble(source, { origin: GUEST_CODE }).bytes)
    cpu.setGpr(1, 1000n)
    const { rsp } = cpu
    run(cpu, 4 * 1000)
    expect([cpu.gpr(1), cpu.rsp, cpu.cpl]).toEqual([0n, rsp, 3])
  })

  test('the host site runs in ring 0 on SL0, with and without shadow stacks', () => {
    for (const shadowStacks of [false, true]) {
      const machine = machineWith()
      const boot = machine.boot('flat-fred', { delivery: 'fred', options: { shadowStacks } })
      const { cpu } = machine
      boot.sites.host!.enter(cpu)
      cpu.space.write(HOST_CODE, assemble('int 0x80\nnop', { origin: HOST_CODE }).bytes)
      run(cpu, 3)
      expect([cpu.rip, cpu.cpl, cpu.rsp]).toEqual([HOST_CODE + 3n, 0, stackTop(0, 0)])
      expect(cpu.ssp).toBe(shadowStacks ? shadowTop(0, 0) : 0n)
    }
  })

  test('sites fit their areas, and the guest’s and the host’s memory do not meet', () => {
    const machine = machineWith(2)
    const { sites, areas, labels } = machine.boot('flat-fred')
    const inside = (address: bigint, owner: string): boolean =>
      areas[owner]!.some((area) => address >= area.address && address < area.address + BigInt(area.bytes))
    for (const [site, owner] of [['guest', 'guest'] as const, ['host', 'host'] as const]) {
      const { origin, capacity } = sites[site]!
      expect(inside(origin, owner) && inside(origin + BigInt(capacity - 1), owner)).toBe(true)
    }
    for (const { address, flags } of machine.space(0n).pages()) {
      expect(inside(address, 'guest')).toBe((flags & 2) !== 0)
      expect(inside(address, 'host')).toBe((flags & 2) === 0)
    }
    for (const [name, address] of labels)
      expect(inside(address, name.startsWith('guest') ? 'guest' : 'host')).toBe(true)
  })

  const refused = (cpu: string, request: object): string => {
    try {
      machineWith(1, cpu).boot('flat-fred', request)
    } catch (thrown) {
      const { message, hint } = thrown as MachineError
      return hint === undefined ? message : `${message}; ${hint}`
    }
    return 'accepted'
  }

  test('what it cannot do is an error that says so', () => {
    expect(refused('skylake', {})).toBe('CPU "skylake" has no FRED; take panther-lake, diamond-rapids or zen6')
    expect(refused('panther-lake', { delivery: 'idt' })).toBe(
      'host "flat-fred" cannot deliver through "idt"; its delivery is fred',
    )
    expect(refused('panther-lake', { cmdline: 'fred=1' })).toBe('host "flat-fred" has no command line')
    expect(refused('panther-lake', { options: { ist: true } })).toBe(
      'host "flat-fred" has no option "ist"; it has shadowStacks',
    )
    expect(refused('panther-lake', { options: { shadowStacks: 'yes' } })).toBe(
      'option "shadowStacks" of host "flat-fred" is true or false',
    )
    expect(refused('panther-lake,-cet-ss', { options: { shadowStacks: true } })).toBe(
      'CPU "panther-lake,-cet-ss" has no shadow stacks; leave shadowStacks out',
    )
  })
})

describe('its stack map', () => {
  test('A5: a stack for each level with a guard below, as the MSRs and the page attributes have it', () => {
    const machine = machineWith()
    const boot = machine.boot('flat-fred', { options: { shadowStacks: true } })
    const { regions, elsewhere, delivery } = boot.stackMap(machine.cpu)
    expect(delivery).toBe('fred')
    expect(elsewhere).toEqual([])
    expect(
      regions.map(({ name, kind, attributes, pointers }) => [name, kind, attributes, ...pointers.map((p) => p.source)]),
    ).toEqual([
      ['SL3 shadow', 'shadow-stack', 's', 'IA32_FRED_SSP3'],
      ['SL3 shadow guard', 'guard', null],
      ['SL2 shadow', 'shadow-stack', 's', 'IA32_FRED_SSP2'],
      ['SL2 shadow guard', 'guard', null],
      ['SL1 shadow', 'shadow-stack', 's', 'IA32_FRED_SSP1'],
      ['SL1 shadow guard', 'guard', null],
      ['SL0 shadow', 'shadow-stack', 's', 'IA32_PL0_SSP'],
      ['SL0 shadow guard', 'guard', null],
      ['SL3', 'stack', 'w', 'IA32_FRED_RSP3'],
      ['SL3 guard', 'guard', null],
      ['SL2', 'stack', 'w', 'IA32_FRED_RSP2'],
      ['SL2 guard', 'guard', null],
      ['SL1', 'stack', 'w', 'IA32_FRED_RSP1'],
      ['SL1 guard', 'guard', null],
      ['SL0', 'stack', 'w', 'IA32_FRED_RSP0'],
      ['SL0 guard', 'guard', null],
    ])
  })

  test('it is read back: another MSR, another page attribute, another map', () => {
    const machine = machineWith()
    const boot = machine.boot('flat-fred')
    const { cpu } = machine
    writeMsr(cpu, IA32_FRED_RSP0 + 3, stackTop(0, 1))
    writeMsr(cpu, IA32_FRED_RSP0 + 2, 0x1000n)
    machine.space(0n).map(stackTop(0, 0) - 0x1000n, PAGE_WRITABLE | PAGE_EXECUTABLE)
    const { regions, elsewhere } = boot.stackMap(cpu)
    const named = (name: string) => regions.find((region) => region.name === name)!
    expect(named('SL1').pointers.map(({ use }) => use)).toEqual(['SL1', 'SL3'])
    expect(named('SL3').pointers).toEqual([])
    expect(named('SL0').attributes).toBe('wx')
    expect(elsewhere).toEqual([{ source: 'IA32_FRED_RSP2', use: 'SL2', value: 0x1000n }])
  })

  test('the entry page is in IA32_FRED_CONFIG', () => {
    const machine = machineWith()
    const boot = machine.boot('flat-fred')
    expect(readMsr(machine.cpu, IA32_FRED_CONFIG)).toBe(boot.labels.get('entry_ring3'))
    expect(boot.labels.get('entry_ring0')).toBe(boot.labels.get('entry_ring3')! + 256n)
  })

  test('the tops of the stacks of CPU 0 have labels', () => {
    const machine = machineWith()
    const { labels } = machine.boot('flat-fred')
    for (const level of [0, 1, 2, 3]) {
      expect(labels.get(`sl${level}_top`)).toBe(readMsr(machine.cpu, IA32_FRED_RSP0 + level))
    }
  })
})
