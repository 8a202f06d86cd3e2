import { describe, expect, test } from 'vitest'
import { pendDebugTrap, pendInterrupt, pendMachineCheck, pendNmi } from '../event/pending.js'
import { createMachine, type Machine } from '../machine/machine.js'
import { pageFlags } from '../memory/access.js'
import { DR6_BS } from '../state/control.js'
import { RFLAGS, STATUS } from '../state/registers.js'
import { IF } from '../state/rflags.js'
import { BLOCKED_BY_NMI, HALTED, SHUTDOWN, WAIT_FOR_SIPI } from '../state/status.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { canStep, enabledCpus } from './ready.js'

/** CPU 0 executed HLT; CPU 1 has NOPs before it. */
function halted(): Machine {
  const machine = createMachine({ cpu: 'skylake', cpus: 2, plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })
  machine.space(0n).map(0x1000n, pageFlags('wx'), 3)
  machine.space(0n).write(0x1000n, Uint8Array.of(0xf4, 0x90, 0x90))
  machine.space(0n).write(0x2000n, Uint8Array.of(0x90))
  machine.cpus[0]!.rip = 0x1000n
  machine.cpus[1]!.rip = 0x1001n
  for (const cpu of machine.cpus) cpu.rsp = 0x4000n
  machine.step(0)
  return machine
}

describe('HLT is left by what would be delivered (SDM 2A HLT)', () => {
  test.each([
    ['an NMI', pendNmi, 0, true],
    ['an NMI while NMIs are blocked', pendNmi, BLOCKED_BY_NMI, false],
    ['a machine check, blocked or not', pendMachineCheck, BLOCKED_BY_NMI, true],
    ['a debug trap', (cpu: Parameters<typeof pendNmi>[0]) => pendDebugTrap(cpu, DR6_BS), 0, true],
    ['an interrupt with IF = 0', (cpu: Parameters<typeof pendNmi>[0]) => pendInterrupt(cpu, 0x20), 0, false],
  ] as const)('%s', (_, pend, blocking, wakes) => {
    const machine = halted()
    const { cpu } = machine
    expect([canStep(cpu), machine.step(0)]).toEqual([false, 'idle'])
    cpu.words[STATUS] = cpu.words[STATUS]! | blocking
    pend(cpu)
    expect([canStep(cpu), machine.step(0)]).toEqual(wakes ? [true, 'event'] : [false, 'idle'])
    expect(cpu.halted).toBe(!wakes)
    expect(cpu.rip).toBe(wakes ? 0x2000n : 0x1001n)
  })

  test('an interrupt with IF = 1', () => {
    const { cpu } = halted()
    cpu.words[RFLAGS] = IF | 2
    pendInterrupt(cpu, 0x20)
    expect(canStep(cpu)).toBe(true)
  })

  test('asking changes nothing', () => {
    const machine = halted()
    pendInterrupt(machine.cpu, 0x20)
    pendNmi(machine.cpu)
    const before = machine.snapshot()
    canStep(machine.cpu)
    expect(machine.equals(before)).toBe(true)
  })
})

test('a CPU in shutdown, or waiting for a startup IPI, cannot step, whatever is pending', () => {
  for (const state of [SHUTDOWN, WAIT_FOR_SIPI]) {
    const machine = halted()
    machine.cpu.words[STATUS] = state
    pendNmi(machine.cpu)
    expect([enabledCpus(machine), machine.step(0)]).toEqual([[1], 'idle'])
  }
})

test('halted CPUs are not among those that can step', () => {
  const machine = halted()
  expect(enabledCpus(machine)).toEqual([1])
  expect(machine.cpu.words[STATUS]).toBe(HALTED)
})
