import { CR4, createMachine, type Machine } from '@trapframe/core'
import { toyMechanism } from '@trapframe/core/testing'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { HOST_CODE, HOST_DATA } from './flat/memory.js'
import { fred } from './plugin.js'

const FRED = 1n << 32n

/** A machine that delivers through a toy until CR4.FRED is set, about to execute `source` in ring 0. */
function about(source: string, cpu = 'panther-lake'): { machine: Machine; events: string[] } {
  const machine = createMachine({ cpu, plugins: [fred(), isa(), toyMechanism({ entry: HOST_CODE })] })
  const space = machine.space(0n)
  space.map(HOST_CODE, 5)
  space.map(HOST_DATA, 1)
  space.write(HOST_CODE, assemble(source, { origin: HOST_CODE }).bytes)
  machine.cpu.rip = HOST_CODE
  machine.cpu.rsp = HOST_DATA + 0x800n
  const events: string[] = []
  machine.trace.on('event', ({ event, mechanism }) => void events.push(`${event} through ${mechanism}`))
  return { machine, events }
}

describe('CR4.FRED', () => {
  test('MOV to CR4 sets it, and from then on FRED delivers; clearing it gives back what was before', () => {
    const { machine, events } = about('mov cr4, rax\nmov cr4, rbx')
    const { cpu } = machine
    cpu.setGpr(0, cpu.cr4 | FRED)
    cpu.setGpr(3, cpu.cr4)
    expect(cpu.mechanism?.name).toBe('toy')
    machine.step()
    expect([cpu.cr4 & FRED, cpu.mechanism?.name]).toEqual([FRED, 'fred'])
    machine.step()
    expect([cpu.cr4 & FRED, cpu.mechanism?.name]).toEqual([0n, 'toy'])
    expect(events).toEqual([])
  })

  test('A19: on a CPU without FRED it cannot be set: #GP', () => {
    const { machine, events } = about('mov cr4, rax', 'sapphire-rapids')
    machine.cpu.setGpr(0, machine.cpu.cr4 | FRED)
    machine.step()
    expect(events).toEqual(['#GP through toy'])
    expect(machine.cpu.get64(CR4) & FRED).toBe(0n)
  })

  test.each([
    ['panther-lake', 3n],
    ['panther-lake,-fred', 2n],
    ['sapphire-rapids', 0n],
  ])('A19: CPUID.(7,1):EAX[18:17] of %s', (name, expected) => {
    const { machine } = about('cpuid', name)
    machine.cpu.setGpr(0, 7n)
    machine.cpu.setGpr(1, 1n)
    machine.step()
    expect((machine.cpu.gpr(0) >> 17n) & 3n).toBe(expected)
  })
})

describe('the plugin', () => {
  test('core and fred alone make a machine, which a recipe can make again', () => {
    const machine = createMachine({ cpu: 'panther-lake', plugins: [fred({ rflags: 'fmask', nmiSources: true })] })
    machine.boot('flat-fred')
    expect(machine.cpu.mechanism?.name).toBe('fred')
    expect(JSON.parse(JSON.stringify(machine.recipe()))).toEqual({
      cpu: 'panther-lake',
      cpus: 1,
      plugins: [['@trapframe/fred', { rflags: 'fmask', nmiSources: true }]],
    })
  })

  test('loaded twice it is an error', () => {
    expect(() => createMachine({ cpu: 'panther-lake', plugins: [fred(), fred()] })).toThrow(
      'plugin "fred" is loaded twice',
    )
  })
})
