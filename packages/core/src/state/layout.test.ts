import { expect, test } from 'vitest'
import { createMachine } from '../machine/machine.js'
import { definePlugin, type Plugin } from '../plugin/plugin.js'
import { LayoutBuilder } from './layout.js'
import { CORE_WORDS } from './registers.js'

test('regions get words of their own, eight bytes aligned, after core’s', () => {
  const layout = new LayoutBuilder()
  const a = layout.region('p', { name: 'p/a', scope: 'cpu', bytes: 1, version: 1 })
  const register = layout.register('MSR')
  const b = layout.region('p', { name: 'p/b', scope: 'cpu', bytes: 12, version: 1 })
  const machine = layout.region('p', { name: 'p/m', scope: 'machine', bytes: 8, version: 1 })
  expect([a.slot, register, b.slot, machine.slot]).toEqual([CORE_WORDS, CORE_WORDS + 2, CORE_WORDS + 4, 0])
  expect(layout.build()).toMatchObject({ cpuWords: CORE_WORDS + 8, machineWords: 2 })
})

test('another version of a region is another layout', () => {
  const hash = (version: number): string => {
    const layout = new LayoutBuilder()
    layout.region('p', { name: 'p/a', scope: 'cpu', bytes: 8, version })
    return layout.build().hash
  }
  expect(hash(1)).not.toBe(hash(2))
  expect(hash(1)).toBe(hash(1))
})

test.each([0, -8, 1.5, 1 << 21])('a region of %d bytes is refused', (bytes) => {
  const layout = new LayoutBuilder()
  expect(() => layout.region('p', { name: 'p/a', scope: 'cpu', bytes, version: 1 })).toThrowError(/1 to 1048576/)
})

test('a region is snapshotted, restored and hashed like the rest', () => {
  let slot = 0
  const counter: Plugin = definePlugin({
    name: 'counter',
    setup(host) {
      slot = host.regions.declare({ name: 'counter/n', scope: 'cpu', bytes: 8, version: 1 }).slot
    },
  })
  const machine = createMachine({ cpu: 'skylake', plugins: [counter] })
  const before = machine.snapshot()
  const hash = machine.hash()
  machine.cpu.words[slot] = 5
  expect(machine.hash()).not.toBe(hash)
  machine.restore(before)
  expect(machine.cpu.words[slot]).toBe(0)
})

test('the state of a CPU is small: core and the registers take less than 2 KiB', () => {
  expect(createMachine({ cpu: 'skylake' }).layout.cpuWords * 4).toBeLessThan(2048)
})
