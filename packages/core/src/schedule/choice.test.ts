import { describe, expect, test } from 'vitest'
import { createMachine } from '../machine/machine.js'
import { definePlugin, HAPPENINGS } from '../plugin/plugin.js'
import { STATUS } from '../state/registers.js'
import { HALTED } from '../state/status.js'
import { choices, choose } from './choice.js'
import { advanceTime, clearDeadline, deadlineOf, nextDeadline, setDeadline, TIMEOUT, timeOf } from './clock.js'

function twoHalted(plugins: Parameters<typeof createMachine>[0]['plugins'] = []) {
  const machine = createMachine({ cpu: 'skylake', cpus: 2, plugins })
  for (const cpu of machine.cpus) cpu.words[STATUS] = HALTED
  return machine
}

describe('simulated time', () => {
  test('passes when somebody says so, is part of the state, and does not pass by stepping', () => {
    const machine = twoHalted()
    const start = machine.snapshot()
    machine.step(0)
    expect(timeOf(machine)).toBe(0n)
    const hash = machine.hash()
    advanceTime(machine, 0x1_0000_0001n)
    expect(timeOf(machine)).toBe(0x1_0000_0001n)
    expect(machine.hash()).not.toBe(hash)
    machine.restore(start)
    expect(timeOf(machine)).toBe(0n)
    expect(() => advanceTime(machine, -1n)).toThrow(RangeError)
  })

  test('a deadline makes its coming a choice: the earliest one first', () => {
    const machine = twoHalted()
    const [first, second] = machine.cpus as [(typeof machine.cpus)[0], (typeof machine.cpus)[0]]
    expect(choices(machine)).toEqual([])
    setDeadline(first, 2000n)
    setDeadline(second, 1000n)
    expect(choices(machine)).toEqual([{ kind: 'happening', name: TIMEOUT }])
    expect(choose(machine, { kind: 'happening', name: TIMEOUT })).toBeNull()
    expect([timeOf(machine), deadlineOf(first), deadlineOf(second)]).toEqual([1000n, 2000n, null])
    clearDeadline(first)
    expect(nextDeadline(machine)).toBeNull()
    expect(() => choose(machine, { kind: 'happening', name: TIMEOUT })).toThrow('"timeout" cannot happen now')
  })
})

test('choices are the CPUs that can step, then what plugins know; a choice made again from a snapshot does the same', () => {
  const rain = definePlugin({
    name: 'rain',
    setup(host) {
      const { slot } = host.regions.declare({ name: 'rain', scope: 'machine', bytes: 8, version: 1 })
      host.add(HAPPENINGS, 'rain', {
        enabled: ({ words }) => (words[slot] === 0 ? ['rain'] : []),
        happen: ({ words }) => {
          words[slot] = 1
        },
      })
    },
  })
  const machine = twoHalted([rain])
  machine.cpus[1]!.words[STATUS] = 0
  expect(choices(machine)).toEqual([
    { kind: 'step', cpu: 1 },
    { kind: 'happening', name: 'rain' },
  ])
  const before = machine.snapshot()
  choose(machine, { kind: 'happening', name: 'rain' })
  const after = machine.snapshot()
  expect(choices(machine)).toEqual([{ kind: 'step', cpu: 1 }])
  machine.restore(before)
  choose(machine, { kind: 'happening', name: 'rain' })
  expect(machine.equals(after)).toBe(true)
})
