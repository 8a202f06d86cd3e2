import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toyIsa } from '../testing/toy-isa.js'
import { createMachine, type Machine } from './machine.js'

const used = { name: 'acme/table', scope: 'cpu', bytes: 64, version: 1, used: usedWords } as const
/** The table's first word says how many follow. */
function usedWords(words: Int32Array, first: number): number {
  return 1 + words[first]!
}

const make = (): Machine =>
  createMachine({
    cpu: 'skylake',
    cpus: 2,
    plugins: [toyIsa(), { name: 'acme', setup: (host) => void host.regions.declare(used) }],
  })

const action = fc.record({
  cpu: fc.nat(1),
  do: fc.constantFrom('register', 'push', 'pop', 'hash', 'save', 'restore'),
  at: fc.nat(31),
  value: fc.integer(),
})

test('the hash of the flat state, kept up to date word by word, is the one computed afresh', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const machine = make()
      const { slot } = machine.layout.regions.get('acme/table')!
      let saved = machine.snapshot()
      for (const { cpu, do: what, at, value } of actions) {
        const { words } = machine.cpus[cpu]!
        const count = words[slot]!
        if (what === 'register') words[at] = value
        else if (what === 'push' && count < 15) {
          words[slot] = count + 1
          words[slot + 1 + count] = value
        } else if (what === 'pop' && count > 0) {
          words[slot] = count - 1
          words[slot + count] = 0
        } else if (what === 'hash') machine.hash()
        else if (what === 'save') saved = machine.snapshot()
        else if (what === 'restore') machine.restore(saved)
      }
      const fresh = make()
      for (const { id, words } of machine.cpus) fresh.cpus[id]!.words.set(words)
      expect(machine.hash()).toBe(fresh.hash())
    }),
    { numRuns: 300 },
  )
})

test('interchangeable CPUs count in no order, others do', () => {
  const hashes = [
    [1, 2],
    [2, 1],
  ].map((values) => {
    const machine = make()
    for (const [id, value] of values.entries()) machine.cpus[id]!.words[0] = value
    const plain = machine.hash()
    machine.interchangeInHash([[0, 1]])
    const unordered = machine.hash()
    machine.interchangeInHash([])
    expect(machine.hash()).toBe(plain)
    return { plain, unordered }
  })
  expect(hashes[0]!.plain).not.toBe(hashes[1]!.plain)
  expect(hashes[0]!.unordered).toBe(hashes[1]!.unordered)
})
