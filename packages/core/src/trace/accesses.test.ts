import { describe, expect, test } from 'vitest'
import { raise } from '../event/raise.js'
import { createMachine } from '../machine/machine.js'
import { PAGE_EXECUTABLE, PAGE_WRITABLE } from '../memory/access.js'
import { store64 } from '../memory/linear.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { countAccesses } from './accesses.js'

function toy() {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyMechanism({ entry: 0x2000n })] })
  machine.space(0n).map(0x1000n, PAGE_WRITABLE | PAGE_EXECUTABLE, 2)
  machine.cpu.rsp = 0x2000n
  return machine
}

describe('A15: the memory accesses of deliveries', () => {
  test('each event is counted; the toy mechanism pushes two quadwords', () => {
    const machine = toy()
    const accesses = countAccesses(machine, () => {
      raise(machine.cpu, { kind: 'nmi' })
      raise(machine.cpu, { kind: 'externalInterrupt', vector: 0x20 })
    })
    expect(accesses).toEqual({ read: { count: 0, bytes: 0 }, written: { count: 4, bytes: 32 } })
  })

  test('what software stores is not', () => {
    const machine = toy()
    expect(countAccesses(machine, () => store64(machine.cpu, 0x1000, 0, 1, 2)).written.count).toBe(0)
  })

  test('counting ends with the action, even if that throws', () => {
    const machine = toy()
    expect(() =>
      countAccesses(machine, () => {
        throw new Error('enough')
      }),
    ).toThrow('enough')
    expect(machine.cpu.observer).toBeNull()
  })
})
