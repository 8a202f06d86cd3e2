import { expect, test } from 'vitest'
import { createMachine } from '../machine/machine.js'
import { pageFlags } from '../memory/access.js'
import { readMsr, writeMsr } from '../msr/registry.js'
import { STATUS } from '../state/registers.js'
import { BLOCKED_BY_NMI } from '../state/status.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { pendMachineCheck } from './pending.js'
import { raise } from './raise.js'

const IA32_MCG_STATUS = 0x17a

function machineWithNops() {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })
  machine.space(0n).map(0x1000n, pageFlags('wx'), 3)
  machine.space(0n).write(0x2000n, Uint8Array.of(0x90, 0x90, 0x90))
  machine.cpu.rip = 0x2000n
  machine.cpu.rsp = 0x4000n
  return machine
}

test('K1: a machine check sets MCIP and RIPV, and a second one before software clears MCIP shuts the CPU down', () => {
  const machine = machineWithNops()
  const shutdowns: string[] = []
  machine.trace.on('shutdown', ({ during }) => void shutdowns.push(during))
  pendMachineCheck(machine.cpu)
  expect(machine.step()).toBe('event')
  expect(readMsr(machine.cpu, IA32_MCG_STATUS)).toBe(5n)
  const { rsp } = machine.cpu
  pendMachineCheck(machine.cpu)
  expect(machine.step()).toBe('event')
  expect([machine.cpu.isShutdown, machine.cpu.rsp, shutdowns]).toEqual([true, rsp, ['#MC']])
  expect(machine.step()).toBe('idle')
})

test('once MCIP is cleared by WRMSR the next machine check is delivered', () => {
  const machine = machineWithNops()
  for (let n = 0; n < 3; n++) {
    pendMachineCheck(machine.cpu)
    machine.step()
    expect(machine.cpu.isShutdown).toBe(false)
    writeMsr(machine.cpu, IA32_MCG_STATUS, 0n)
  }
  expect(machine.cpu.rsp).toBe(0x4000n - 48n)
})

test('software may set MCIP itself; the reserved bits are #GP(0)', () => {
  const { cpu } = machineWithNops()
  expect(() => writeMsr(cpu, IA32_MCG_STATUS, 0x10n)).toThrow()
  writeMsr(cpu, IA32_MCG_STATUS, 4n)
  raise(cpu, { kind: 'hardwareException', vector: 18 })
  expect(cpu.isShutdown).toBe(true)
})

test('NMI blocking neither holds a machine check nor is changed by it', () => {
  const machine = machineWithNops()
  machine.cpu.words[STATUS] = BLOCKED_BY_NMI
  pendMachineCheck(machine.cpu)
  expect(machine.step()).toBe('event')
  expect(machine.cpu.words[STATUS]).toBe(BLOCKED_BY_NMI)
})
