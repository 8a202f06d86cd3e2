import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMachine, type Machine } from '../machine/machine.js'
import { packSnapshot, unpackSnapshot } from '../machine/portable-snapshot.js'
import { definePlugin } from '../plugin/plugin.js'
import { pageFlags } from './access.js'
import { HashSum } from './hash.js'
import { store8, store64, writablePage } from './linear.js'

const PAGES = 4
const BASE = 0x8000

function machineWithPages(plugins: Parameters<typeof createMachine>[0]['plugins'] = []): Machine {
  const machine = createMachine({ cpu: 'skylake', plugins })
  machine.space(0n).map(BigInt(BASE), pageFlags('w'), PAGES)
  return machine
}

const action = fc.oneof(
  fc.record({ do: fc.constant('store64' as const), at: fc.nat(PAGES * 4096 - 8), value: fc.integer() }),
  fc.record({ do: fc.constant('store8' as const), at: fc.nat(PAGES * 4096 - 1), value: fc.nat(255) }),
  fc.record({ do: fc.constant('run' as const), at: fc.nat(PAGES * 4096 - 1), value: fc.integer() }),
  fc.record({ do: fc.constant('hash' as const) }),
  fc.record({ do: fc.constant('save' as const) }),
  fc.record({ do: fc.constant('restore' as const) }),
)

test('a hash that is kept up to date with stores, snapshots and restores is the one computed afresh', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const machine = machineWithPages()
      const { cpu } = machine
      let saved = machine.snapshot()
      for (const what of actions) {
        if (what.do === 'store64') store64(cpu, BASE + what.at, 0, what.value, ~what.value)
        else if (what.do === 'store8') store8(cpu, BASE + what.at, 0, what.value)
        else if (what.do === 'run') {
          const first = Math.min(what.at & 0xff8, 4096 - 64)
          const page = writablePage(cpu, BASE + what.at, 0, 1, first, 64)
          for (let i = 0; i < 64; i += 4) page.setInt32(first + i, what.value * i, true)
        } else if (what.do === 'hash') machine.hash()
        else if (what.do === 'save') saved = machine.snapshot()
        else machine.restore(saved)
      }
      const fresh = machineWithPages()
      fresh.restore(unpackSnapshot(fresh, packSnapshot(machine, machine.snapshot())))
      expect(fresh.hash()).toBe(machine.hash())
    }),
    { numRuns: 200 },
  )
})

test('a spent snapshot is used again, and what is saved in it is the state now', () => {
  const machine = machineWithPages()
  const first = machine.snapshot()
  store64(machine.cpu, BASE, 0, 1, 2)
  machine.cpu.rsp = 5n
  const again = machine.snapshot(first)
  expect(again.state).toBe(first.state)
  machine.cpu.rsp = 6n
  store64(machine.cpu, BASE, 0, 3, 4)
  machine.restore(again)
  expect([machine.cpu.rsp, machine.space(0n).read64(BigInt(BASE))]).toEqual([5n, 0x2_0000_0001n])
})

test('pages that differ in one word each, the same two words, have different hashes', () => {
  const hashes = new Set<bigint>()
  for (let i = 0; i < 64; i++) {
    for (let j = 0; j < 64; j++) {
      const machine = machineWithPages()
      store8(machine.cpu, BASE + i * 4, 0, 1)
      store8(machine.cpu, BASE + 4096 + j * 4, 0, 1)
      hashes.add(machine.hash())
    }
    if (i === 7) break
  }
  expect(hashes.size).toBe(8 * 64)
})

test('adding and removing words are inverse, in any order', () => {
  const words = Int32Array.from({ length: 32 }, (_, i) => (i % 3 === 0 ? 0 : i * 0x1234567))
  const sum = new HashSum()
  sum.add(words, 16, 32)
  sum.add(words, 0, 16)
  sum.remove(words, 4, 32)
  sum.remove(words, 0, 4)
  expect([sum.lo, sum.hi]).toEqual([0, 0])
})

test('a volatile region is snapshotted and does not distinguish states; another one does', () => {
  const slots: number[] = []
  const counters = definePlugin({
    name: 'counters',
    setup(host) {
      for (const [name, volatile] of [['c/a', true] as const, ['c/b', false] as const]) {
        slots.push(host.regions.declare({ name, scope: 'cpu', bytes: 8, version: 1, volatile }).slot)
      }
    },
  })
  const machine = machineWithPages([counters])
  const before = machine.snapshot()
  const hash = machine.hash()
  machine.cpu.words[slots[0]!] = 1
  expect(machine.hash()).toBe(hash)
  expect(machine.equals(before)).toBe(false)
  machine.cpu.words[slots[1]!] = 1
  expect(machine.hash()).not.toBe(hash)
})

test('memory that is declared not to count does not, and what is beside it does', () => {
  const machine = machineWithPages()
  machine.ignoreInHash(BigInt(BASE) + 0xff8n, 16)
  const hash = machine.hash()
  store64(machine.cpu, BASE + 0xff8, 0, 1, 2)
  store64(machine.cpu, BASE + 0x1000, 0, 1, 2)
  expect(machine.hash()).toBe(hash)
  store8(machine.cpu, BASE + 0x1008, 0, 1)
  expect(machine.hash()).not.toBe(hash)
  store8(machine.cpu, BASE + 0x1008, 0, 0)
  expect(machine.hash()).toBe(hash)
  store8(machine.cpu, BASE + 0xff7, 0, 1)
  expect(machine.hash()).not.toBe(hash)
})
