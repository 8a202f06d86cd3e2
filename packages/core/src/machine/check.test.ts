import { describe, expect, test } from 'vitest'
import { pageFlags } from '../memory/access.js'
import { store64 } from '../memory/linear.js'
import { definePlugin, OBSERVERS, type Plugin } from '../plugin/plugin.js'
import type { Region } from '../state/layout.js'
import { RAX } from '../state/registers.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { checkedStep } from './check.js'
import { createMachine, type Machine } from './machine.js'
import type { HostRoutine } from './routine.js'

/** A machine at `bump; int 21h; hlt`, with a handler of `bump; toyret`. */
function toyMachine(...plugins: Plugin[]): Machine {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyIsa(), toyMechanism({ entry: 0x2000n }), ...plugins] })
  const space = machine.space(0n)
  space.map(0x1000n, pageFlags('wx'), 2)
  space.map(0x8000n, pageFlags('w'))
  space.write(0x1000n, Uint8Array.of(0x40, 0xcd, 0x21, 0xf4))
  space.write(0x2000n, Uint8Array.of(0x40, 0xcf))
  machine.cpu.rip = 0x1000n
  machine.cpu.rsp = 0x9000n
  return machine
}

function withRoutine(run: HostRoutine['run']): Machine {
  const machine = toyMachine()
  machine.bindRoutine(0x1000n, { name: 'suspect', run })
  return machine
}

describe('checkedStep', () => {
  test('a machine steps as it does without the check', () => {
    const plain = toyMachine()
    const checked = toyMachine()
    for (let i = 0; i < 8; i++) expect(checkedStep(checked, checked.cpu)).toBe(plain.step())
    expect(checked.cpu.halted).toBe(true)
    expect(checked.hash()).toBe(plain.hash())
  })

  test('observers and the trace hear each step once', () => {
    const machine = toyMachine()
    const seen: string[] = []
    const traced: string[] = []
    machine.observe({ instruction: (_cpu, insn) => seen.push(insn.text) })
    machine.trace.record(({ type }) => traced.push(type))
    for (let i = 0; i < 5; i++) checkedStep(machine, machine.cpu)
    expect(seen).toEqual(['bump', 'int', 'bump', 'toyret', 'hlt'])
    expect(traced.filter((type) => type === 'event')).toHaveLength(1)
  })

  test('the observers of plugins hear both, so that their regions agree', () => {
    let region: Region | undefined
    const machine = toyMachine(
      definePlugin({
        name: 'counter',
        setup(host) {
          const { slot } = (region = host.regions.declare({
            name: 'counter/steps',
            scope: 'cpu',
            bytes: 8,
            version: 1,
          }))
          host.add(OBSERVERS, 'counter', { instruction: ({ words }) => void (words[slot] = words[slot]! + 1) })
        },
      }),
    )
    for (let i = 0; i < 5; i++) checkedStep(machine, machine.cpu)
    expect(machine.cpu.words[region!.slot]).toBe(5)
  })

  test('a routine that keeps a register in a variable of its own is found out', () => {
    let calls = 0
    const machine = withRoutine((_machine, { words }) => {
      words[RAX] = ++calls
    })
    expect(() => checkedStep(machine, machine.cpu)).toThrow(
      'the step of CPU 0 at 0x1000 is not repeatable: word 0 of CPU 0 differs',
    )
  })

  test('so is one that writes memory from a variable', () => {
    let calls = 0
    const machine = withRoutine((_machine, cpu) => store64(cpu, 0x8010, 0, ++calls, 0))
    expect(() => checkedStep(machine, machine.cpu)).toThrow('memory at physical address 0x8010 differs')
  })

  test('and one that changes the page tables', () => {
    let calls = 0
    const machine = withRoutine((_machine, cpu) => cpu.space.map(BigInt(0x20000 + 0x1000 * ++calls), pageFlags('w')))
    expect(() => checkedStep(machine, machine.cpu)).toThrow('the page tables differ')
  })
})
