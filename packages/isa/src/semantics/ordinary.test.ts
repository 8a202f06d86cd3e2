import { createMachine, UnsupportedError } from '@trapframe/core'
import { expect, test } from 'vitest'
import { isa } from '../plugin.js'
import { ORDINARY_INSTRUCTIONS } from './ordinary.js'
import { execute } from './test-machine.js'

/** What the delivery mechanisms define, each in its own way. */
const OF_MECHANISMS = [
  ...['int', 'int1', 'int3', 'into', 'iret', 'syscall', 'sysret', 'sysenter', 'sysexit'],
  ...['swapgs', 'callf', 'jmpf', 'retf', 'setssbsy', 'clrssbsy', 'erets', 'eretu', 'lkgs'],
]

test('what depends on the delivery mechanism is left to it', () => {
  expect(OF_MECHANISMS.filter((mnemonic) => mnemonic in ORDINARY_INSTRUCTIONS)).toEqual([])
})

test('an instruction without semantics stops the run with an error that names it', () => {
  expect(() => execute('aesenc xmm0, xmm1')).toThrow(UnsupportedError)
  expect(() => execute('aesenc xmm0, xmm1')).toThrow(/"aesenc" at 0x10000 is not modelled/)
})

test('the plugin can be made again from a recipe, and needs no other', () => {
  const machine = createMachine({ cpu: 'skylake', plugins: [isa()] })
  expect(machine.recipe().plugins).toEqual([['@trapframe/isa', null]])
  expect(machine.decoder).not.toBeNull()
})
