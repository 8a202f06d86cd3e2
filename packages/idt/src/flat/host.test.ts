import { createMachine, MachineError, raise } from '@trapframe/core'
import { isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { idt } from '../plugin.js'
import { GUEST_CODE, GUEST_STACK_TOP, HOST_CODE, handlerAddress, stackTop, tssAddress } from './memory.js'

const machine = (cpu = 'sapphire-rapids', cpus = 1) => createMachine({ cpu, cpus, plugins: [idt(), isa()] })

describe('flat-idt', () => {
  test('every vector has a handler that returns: with its error code dropped where it has one', () => {
    const one = machine()
    const boot = one.boot('flat-idt')
    for (let vector = 0; vector < 32; vector++) {
      boot.sites.guest!.enter(one.cpu)
      raise(one.cpu, { kind: 'hardwareException', vector })
      expect(one.cpu.rip).toBe(boot.labels.get(`handler_${vector}`))
      while (one.cpu.cpl === 0) one.step()
      expect([one.cpu.rip, one.cpu.rsp]).toEqual([GUEST_CODE, GUEST_STACK_TOP])
    }
    expect(boot.labels.get('handler_pf')).toBe(handlerAddress(14))
    expect(boot.labels.get('handler_nmi')).toBe(handlerAddress(2))
  })

  test('labels the TSS and the tops of the stacks', () => {
    const { labels } = machine().boot('flat-idt')
    const names = ['tss', 'primary_top', 'ist1_top', 'ist2_top', 'ist3_top', 'ist4_top']
    expect(names.map((name) => labels.get(name))).toEqual([
      tssAddress(0),
      ...[0, 1, 2, 3, 4].map((n) => stackTop(0, n)),
    ])
  })

  test('the host site is ring 0 on the primary stack', () => {
    const one = machine()
    one.boot('flat-idt').sites.host!.enter(one.cpu)
    expect([one.cpu.cpl, one.cpu.rip, one.cpu.rsp]).toEqual([0, HOST_CODE, stackTop(0, 0)])
  })

  test('each CPU has a TSS and stacks of its own', () => {
    const two = machine('sapphire-rapids', 2)
    two.boot('flat-idt')
    for (const cpu of two.cpus) {
      raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
      expect(cpu.rsp).toBe(stackTop(cpu.id, 0) - 40n)
    }
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['another delivery', { delivery: 'fred' }, 'cannot deliver through "fred"'],
    ['a command line', { cmdline: 'fred=1' }, 'has no command line'],
    ['an unknown option', { options: { smap: true } }, 'has no option "smap"'],
    ['a number for a switch', { options: { ist: 1 } }, 'option "ist" of host "flat-idt" is true or false'],
  ])('%s is refused by name', (_, request, message) => {
    expect(() => machine().boot('flat-idt', request)).toThrow(message)
  })

  test('shadow stacks on a CPU without them are refused', () => {
    expect(() => machine('skylake').boot('flat-idt', { options: { shadowStacks: true } })).toThrow(MachineError)
  })
})

describe('its stack map is read back from the machine', () => {
  test('RSP0 and the IST entries point at their stacks, guards have none', () => {
    const one = machine()
    const map = one.boot('flat-idt').stackMap(one.cpu)
    const rows = map.regions.map(({ name, attributes, pointers }) => [name, attributes, pointers.map(({ use }) => use)])
    expect(rows).toEqual([
      ['IST4', 'w', ['IST4 (#DF)']],
      ['IST4 guard', null, []],
      ['IST3', 'w', ['IST3 (#DB)']],
      ['IST3 guard', null, []],
      ['IST2', 'w', ['IST2 (NMI)']],
      ['IST2 guard', null, []],
      ['IST1', 'w', ['IST1 (#MC)']],
      ['IST1 guard', null, []],
      ['primary', 'w', ['ring 3 → 0']],
      ['primary guard', null, []],
    ])
    expect(map.elsewhere).toEqual([])
  })

  test('a change of the TSS, of a gate or of a page is seen', () => {
    const one = machine()
    const boot = one.boot('flat-idt', { options: { ist: false } })
    expect(boot.stackMap(one.cpu).regions.find(({ name }) => name === 'IST2')!.pointers[0]!.use).toBe('IST2, no gate')
    one.space(0n).write64(tssAddress(0) + 4n, 0x8000_0000_0000_0000n)
    one.space(0n).map(stackTop(0, 0) - 0x1000n, 0)
    const map = boot.stackMap(one.cpu)
    expect(map.elsewhere).toEqual([{ source: 'TSS.RSP0', use: 'ring 3 → 0', value: 0x8000_0000_0000_0000n }])
    expect(map.regions.find(({ name }) => name === 'primary')!.attributes).toBe('')
  })

  test('with shadow stacks their pages and pointers are shown too', () => {
    const one = machine()
    const map = one.boot('flat-idt', { options: { shadowStacks: true } }).stackMap(one.cpu)
    const shadows = map.regions.filter(({ kind }) => kind === 'shadow-stack')
    expect(shadows.map(({ name, pointers }) => [name, pointers.map(({ source }) => source)])).toEqual([
      ['IST4 shadow', ['interrupt SSP table[4]']],
      ['IST3 shadow', ['interrupt SSP table[3]']],
      ['IST2 shadow', ['interrupt SSP table[2]']],
      ['IST1 shadow', ['interrupt SSP table[1]']],
      ['primary shadow', ['IA32_PL0_SSP']],
    ])
  })
})
