import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pageFlags } from '../memory/access.js'
import { store64 } from '../memory/linear.js'
import { definePlugin } from '../plugin/plugin.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { createMachine, type Machine } from './machine.js'

function toyMachine(cpus = 2): Machine {
  const machine = createMachine({ cpu: 'skylake', cpus, plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })
  const space = machine.space(0n)
  space.map(0x1000n, pageFlags('wx'), 2)
  space.map(0x8000n, pageFlags('w'), 4)
  space.write(0x1000n, Uint8Array.of(0x40, 0xcd, 0x21, 0x40, 0x90, 0xcd, 0x80, 0xf4))
  space.write(0x2000n, Uint8Array.of(0x40, 0xcf))
  for (const cpu of machine.cpus) {
    cpu.rip = 0x1000n
    cpu.rsp = 0xc000n - BigInt(cpu.id) * 0x1000n
  }
  return machine
}

type Action =
  | { do: 'step'; cpu: number }
  | { do: 'store'; page: number; offset: number; value: number }
  | { do: 'register'; cpu: number; n: number; value: bigint }
  | { do: 'map'; page: number }
  | { do: 'unmap'; page: number }

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constant('step' as const), cpu: fc.nat(1) }),
  fc.record({ do: fc.constant('store' as const), page: fc.nat(3), offset: fc.nat(4088), value: fc.nat() }),
  fc.record({
    do: fc.constant('register' as const),
    cpu: fc.nat(1),
    n: fc.constantFrom(0, 1, 2, 3, 5, 6, 7, 8),
    value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({ do: fc.constant('map' as const), page: fc.nat(7) }),
  fc.record({ do: fc.constant('unmap' as const), page: fc.nat(7) }),
)

function perform(machine: Machine, what: Action): void {
  const space = machine.space(0n)
  if (what.do === 'step') machine.step(what.cpu)
  else if (what.do === 'store')
    store64(machine.cpu, 0x8000 + what.page * 4096 + what.offset, 0, what.value, ~what.value)
  else if (what.do === 'register') machine.cpus[what.cpu]!.setGpr(what.n, what.value)
  else if (what.do === 'map') space.map(0x10_0000n + BigInt(what.page) * 0x1000n, pageFlags('w'))
  else space.unmap(0x10_0000n + BigInt(what.page) * 0x1000n)
}

test('snapshot, a thousand random steps and changes, restore: the state is byte-equal again, and so is its hash', () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 1000, maxLength: 1000 }), (actions) => {
      const machine = toyMachine()
      const snapshot = machine.snapshot()
      const hash = machine.hash()
      for (const what of actions) perform(machine, what)
      machine.restore(snapshot)
      expect(machine.equals(snapshot)).toBe(true)
      expect(machine.hash()).toBe(hash)
    }),
    { numRuns: 10 },
  )
})

test('a run goes the same way after a restore as it went before, and its trace is the same', () => {
  const machine = toyMachine(1)
  const start = machine.snapshot()
  const traces = [0, 1].map(() => {
    machine.restore(start)
    const entries: unknown[] = []
    const stop = machine.trace.record((entry) => entries.push(entry))
    for (let i = 0; i < 12; i++) machine.step()
    stop()
    return { entries, end: machine.hash() }
  })
  expect(traces[0]!.entries.length).toBeGreaterThan(12)
  expect(traces[1]).toEqual(traces[0])
})

test('two snapshots of one machine do not see each other’s later writes', () => {
  const machine = toyMachine(1)
  const first = machine.snapshot()
  machine.space(0n).write(0x8000n, Uint8Array.of(1))
  const second = machine.snapshot()
  machine.space(0n).write(0x8000n, Uint8Array.of(2))
  machine.restore(first)
  expect(machine.space(0n).read(0x8000n, 1)[0]).toBe(0)
  machine.restore(second)
  expect(machine.space(0n).read(0x8000n, 1)[0]).toBe(1)
})

test('the hash does not depend on the way: mapping, touching or zeroing a page again changes nothing', () => {
  const machine = toyMachine(1)
  const hash = machine.hash()
  const space = machine.space(0n)
  space.map(0x50_0000n, pageFlags('w'))
  space.write(0x50_0000n, Uint8Array.of(1, 2, 3))
  expect(machine.hash()).not.toBe(hash)
  space.write(0x50_0000n, new Uint8Array(3))
  space.unmap(0x50_0000n)
  expect(machine.hash()).toBe(hash)
})

test('code that is overwritten is decoded again, before and after a restore', () => {
  const machine = toyMachine(1)
  machine.step()
  expect(machine.cpu.gpr(0)).toBe(1n)
  const snapshot = machine.snapshot()
  machine.cpu.rip = 0x1000n
  machine.space(0n).write(0x1000n, Uint8Array.of(0x90))
  machine.step()
  expect(machine.cpu.gpr(0)).toBe(1n)
  machine.restore(snapshot)
  machine.cpu.rip = 0x1000n
  machine.step()
  expect(machine.cpu.gpr(0)).toBe(2n)
})

test('a snapshot of a machine with another layout is refused', () => {
  const other = createMachine({
    cpu: 'skylake',
    plugins: [
      definePlugin({
        name: 'acme',
        setup: (host) => void host.regions.declare({ name: 'acme/data', scope: 'cpu', bytes: 24, version: 1 }),
      }),
    ],
  })
  expect(() => toyMachine().restore(other.snapshot())).toThrowError(/has layout .*, this machine/)
})

test('a snapshot that is given up leaves its frames for the next copies, and the one that is gone back to is as it was', () => {
  fc.assert(
    fc.property(fc.array(action, { minLength: 60, maxLength: 60 }), (actions) => {
      const machine = toyMachine()
      const base = machine.snapshot()
      const hash = machine.hash()
      for (let at = 0; at < actions.length; at += 20) {
        for (const what of actions.slice(at, at + 10)) perform(machine, what)
        const spent = machine.snapshot()
        const middle = machine.hash()
        for (const what of actions.slice(at + 10, at + 20)) perform(machine, what)
        machine.restore(spent)
        expect(machine.hash()).toBe(middle)
        machine.restoreAfter(spent, base)
        expect(machine.equals(base)).toBe(true)
        expect(machine.hash()).toBe(hash)
      }
    }),
    { numRuns: 20 },
  )
})
