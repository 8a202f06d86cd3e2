import { describe, expect, test } from 'vitest'
import { createMachine, type Machine } from '../machine/machine.js'
import { pageFlags } from '../memory/access.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { FIRST_POSITION, nextCpu, type Position, type Schedule, scheduledStep, seededChoice } from './schedule.js'

/** Three CPUs, each with four NOPs and HLT. */
function threeCpus(): Machine {
  const machine = createMachine({ cpu: 'skylake', cpus: 3, plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })
  machine.space(0n).map(0x1000n, pageFlags('wx'), 2)
  machine.space(0n).write(0x1000n, Uint8Array.of(0x90, 0x90, 0x90, 0x90, 0xf4))
  for (const cpu of machine.cpus) cpu.rip = 0x1000n
  return machine
}

/** Runs until nobody can step; the CPUs in order, a passed step as `-`. */
function run(machine: Machine, schedule: Schedule, from: Position = FIRST_POSITION, most = 100): [string, Position] {
  let order = ''
  let position = from
  while (order.length < most) {
    const made = scheduledStep(machine, schedule, position)
    if (made === null) break
    order += made.result === 'idle' ? '-' : made.cpu
    position = made.position
  }
  return [order, position]
}

test('round-robin: those that can step take turns', () => {
  expect(run(threeCpus(), { kind: 'round-robin' })[0]).toBe('012012012012012')
})

test('a list comes first, then turns; a CPU that cannot step passes its step', () => {
  const order = run(threeCpus(), { kind: 'list', cpus: [2, 2, 2, 2, 2, 2, 0] })[0]
  expect(order).toBe('22222-0101010101')
})

describe('a random schedule', () => {
  test('is the same for the same seed, and another for another', () => {
    const orders = [1, 1, 2].map((seed) => run(threeCpus(), { kind: 'random', seed })[0])
    expect(orders[0]).toBe(orders[1])
    expect(orders[0]).not.toBe(orders[2])
    expect(orders[0]).toHaveLength(15)
  })

  test('keeps no state: from a snapshot and its position it goes on in the same way', () => {
    const machine = threeCpus()
    const schedule: Schedule = { kind: 'random', seed: 7 }
    const [, position] = run(machine, schedule, FIRST_POSITION, 5)
    const snapshot = machine.snapshot()
    const [first] = run(machine, schedule, position)
    machine.restore(snapshot)
    expect(run(machine, schedule, position)[0]).toBe(first)
  })

  test('gives every CPU its share', () => {
    const counts = [0, 0, 0]
    for (let step = 0; step < 3000; step++) counts[seededChoice(99, step, 3)]!++
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120)
  })

  test('chooses among those that can step only', () => {
    for (let steps = 0; steps < 50; steps++) {
      expect(nextCpu({ kind: 'random', seed: 3 }, { steps, last: 0 }, 3, (cpu) => cpu === 1)).toBe(1)
    }
    expect(nextCpu({ kind: 'random', seed: 3 }, FIRST_POSITION, 3, () => false)).toBeNull()
  })
})
