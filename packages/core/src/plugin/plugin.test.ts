import { describe, expect, test } from 'vitest'
import { gp } from '../event/fault.js'
import { createMachine } from '../machine/machine.js'
import { readMsr, writeMsr } from '../msr/registry.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { definePlugin, orderPlugins, type Plugin, type PluginHost } from './plugin.js'
import { defineSlot } from './slot.js'

const plugin = (name: string, setup: (host: PluginHost) => void = () => {}, requires: string[] = []): Plugin =>
  definePlugin({ name, requires, setup })

const machineOf = (...plugins: Plugin[]): ReturnType<typeof createMachine> =>
  createMachine({ cpu: 'panther-lake', plugins })

describe('plugins that do not fit together are errors that name both', () => {
  const msr = { index: 0x1234, name: 'ACME' }
  test.each<[string, () => unknown, RegExp]>([
    ['the same plugin twice', () => machineOf(plugin('a'), plugin('a')), /plugin "a" is loaded twice/],
    ['a missing requirement', () => machineOf(plugin('a', undefined, ['b'])), /"a" requires "b", which is not loaded/],
    [
      'requirements in a circle',
      () => machineOf(plugin('a', undefined, ['b']), plugin('b', undefined, ['a'])),
      /require each other: a → b → a/,
    ],
    [
      'an MSR with one index',
      () =>
        machineOf(
          plugin('a', (host) => host.msrs.define(msr)),
          plugin('b', (host) => host.msrs.define({ ...msr, name: 'OTHER' })),
        ),
      /plugins "a" and "b" both define MSR 0x1234: ACME and OTHER/,
    ],
    [
      'an MSR that core has',
      () => machineOf(plugin('a', (host) => host.msrs.define({ index: 0xc0000081, name: 'MINE' }))),
      /plugins "core" and "a" both define MSR 0xc0000081: IA32_STAR and MINE/,
    ],
    [
      'a mnemonic with two meanings',
      () =>
        machineOf(
          plugin('a', (host) => host.instructions.define({ mnemonic: 'foo', execute: () => {} })),
          plugin('b', (host) => host.instructions.define({ mnemonic: 'foo', under: 'idt', execute: () => {} })),
        ),
      /plugins "a" and "b" both give "foo" under idt its semantics/,
    ],
    [
      'a CR4 bit',
      () =>
        machineOf(
          plugin('a', (host) => host.cr4.define({ bit: 32, name: 'FRED', feature: 'fred' })),
          plugin('b', (host) => host.cr4.define({ bit: 32, name: 'OTHER', feature: 'fred' })),
        ),
      /plugins "a" and "b" both define CR4 bit 32/,
    ],
    [
      'a state region',
      () => {
        const declare = (host: PluginHost): void =>
          void host.regions.declare({ name: 'x/y', scope: 'cpu', bytes: 8, version: 1 })
        return machineOf(plugin('a', declare), plugin('b', declare))
      },
      /plugins "a" and "b" both declare the state region "x\/y"/,
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrowError(message)
  })

  test('the same mnemonic under two mechanisms is no clash', () => {
    const define = (under: string) => (host: PluginHost) =>
      host.instructions.define({ mnemonic: 'syscall', under, execute: () => {} })
    expect(() => machineOf(plugin('a', define('idt')), plugin('b', define('fred')))).not.toThrow()
  })
})

describe('slots', () => {
  const one = defineSlot<string>('test/one', 'one')
  const first = defineSlot<string>('test/first', 'first')
  const all = defineSlot<string>('test/all', 'all')

  test('`one` refuses a second answer, naming both plugins', () => {
    expect(() =>
      machineOf(
        plugin('a', (host) => host.add(one, 'x', 'x')),
        plugin('b', (host) => host.add(one, 'y', 'y')),
      ),
    ).toThrowError(/plugins "a" and "b" both give slot "test\/one" an answer/)
  })

  test('`first` takes the highest precedence; a tie is an error', () => {
    const add = (name: string, precedence: number): Plugin =>
      plugin(name, (host) => host.add(first, name, name, { precedence }))
    expect(machineOf(add('a', 1), add('b', 2)).contributions(first)[0]?.value).toBe('b')
    expect(() => machineOf(add('a', 1), add('b', 1))).toThrowError(/an answer of precedence 1 \("a" and "b"\)/)
  })

  test('`all` keeps all by name, whatever the order of listing; a name can be taken once', () => {
    const add = (name: string, answer = name): Plugin => plugin(name, (host) => host.add(all, answer, name))
    const names = (...plugins: Plugin[]): string[] =>
      machineOf(...plugins)
        .contributions(all)
        .map(({ name }) => name)
    expect(names(add('b'), add('a'))).toEqual(['a', 'b'])
    expect(names(add('a'), add('b'))).toEqual(['a', 'b'])
    expect(() => names(add('a', 'same'), add('b', 'same'))).toThrowError(
      /"a" and "b" both give slot "test\/all" "same"/,
    )
  })
})

describe('a plugin of another copy of core', () => {
  const other = (plugin: Plugin): Plugin =>
    Object.defineProperty(plugin, Symbol.for('trapframe.core'), { value: { url: 'file:///other/core.js' } })

  test('is refused, and both copies are named', () => {
    expect(() => machineOf(other({ name: 'a', setup: () => undefined }))).toThrowError(
      expect.objectContaining({
        code: 'core-twice',
        message: 'plugin "a" was made with another copy of @trapframe/core, and a program can have one only',
        hint: expect.stringContaining("the plugin's file:///other/core.js; the plugin names core as a peer dependency"),
      }),
    )
  })

  test('a plugin that is a plain object belongs to none, and a frozen one stays as it is', () => {
    expect(() => machineOf({ name: 'a', setup: () => undefined })).not.toThrow()
    expect(() => machineOf(definePlugin(Object.freeze({ name: 'a', setup: () => undefined })))).not.toThrow()
  })
})

test('what is required is set up first; equals by name, whatever the order of listing', () => {
  const a = plugin('a', undefined, ['z'])
  const b = plugin('b')
  const z = plugin('z')
  expect(orderPlugins([b, z, a]).map(({ name }) => name)).toEqual(['z', 'a', 'b'])
  expect(orderPlugins([a, z, b]).map(({ name }) => name)).toEqual(['z', 'a', 'b'])
  expect(machineOf(a, b, z).layout.hash).toBe(machineOf(z, b, a).layout.hash)
})

test('an MSR of a plugin: reset value, WRMSR check, absence without its feature', () => {
  const acme = plugin('acme', (host) =>
    host.msrs.define({
      index: 0x1234,
      name: 'ACME_COUNTER',
      reset: 7n,
      feature: 'fred',
      write: (value) => {
        if (value >> 48n !== 0n) throw gp(0)
        return value
      },
    }),
  )
  const features = plugin('features', (host) => host.features.implement('fred'))
  const { cpu } = machineOf(acme, features)
  expect(readMsr(cpu, 0x1234)).toBe(7n)
  writeMsr(cpu, 0x1234, 8n)
  expect(readMsr(cpu, 0x1234)).toBe(8n)
  expect(() => writeMsr(cpu, 0x1234, 1n << 48n)).toThrowError(expect.objectContaining({ vector: 13 }))
  expect(readMsr(cpu, 0x1234)).toBe(8n)
  const without = createMachine({ cpu: 'skylake', plugins: [acme, features] }).cpu
  expect(() => readMsr(without, 0x1234)).toThrowError(expect.objectContaining({ vector: 13, errorCode: 0 }))
})

test('the mechanism is chosen by CR4 and EFER alone; the fallback takes what no other wants', () => {
  const machine = machineOf(
    toyMechanism({ name: 'old', entry: 0n }),
    toyMechanism({ name: 'new', entry: 0n, activeWhen: { cr4: { mask: 1n << 32n, value: 1n << 32n } } }),
  )
  expect(machine.mechanismFor(0n, 0n)?.name).toBe('old')
  expect(machine.mechanismFor(1n << 32n, 0n)?.name).toBe('new')
  expect(machineOf().mechanismFor(0n, 0n)).toBeNull()
})
