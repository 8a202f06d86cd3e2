import { createMachine, definePlugin, readMsr, writeMsr } from '@trapframe/core'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { acmeCounter } from './plugin.mjs'

test('the MSR keeps 48 bits and refuses more with #GP(0)', () => {
  const { cpu } = createMachine({ cpu: 'zen4', plugins: [acmeCounter] })
  writeMsr(cpu, 0x1234, 0xffff_ffff_ffffn)
  expect(readMsr(cpu, 0x1234)).toBe(0xffff_ffff_ffffn)
  expect(() => writeMsr(cpu, 0x1234, 1n << 48n)).toThrowError(expect.objectContaining({ vector: 13, errorCode: 0 }))
})

test('RDPRU reads the counter and advances it', () => {
  const machine = createMachine({ cpu: 'zen4', plugins: [isa(), acmeCounter] })
  machine.space(0n).map(0x1000n, 4)
  machine.space(0n).write(0x1000n, assemble('rdpru', { origin: 0x1000n }).bytes)
  const { cpu } = machine
  writeMsr(cpu, 0x1234, 0x5_0000_0007n)
  cpu.rip = 0x1000n
  machine.step()
  expect([cpu.gpr(0), cpu.gpr(2)]).toEqual([7n, 5n])
  expect(readMsr(cpu, 0x1234)).toBe(0x5_0000_0008n)
})

describe('clashes are errors that name both plugins', () => {
  test('loaded twice', () => {
    expect(() => createMachine({ cpu: 'zen4', plugins: [acmeCounter, acmeCounter] })).toThrowError(
      /plugin "acme-counter" is loaded twice/,
    )
  })

  test('beside another plugin with the same MSR or mnemonic', () => {
    const msr = definePlugin({
      name: 'other',
      setup: (host) => void host.msrs.define({ index: 0x1234, name: 'OTHER_COUNTER' }),
    })
    expect(() => createMachine({ cpu: 'zen4', plugins: [msr, acmeCounter] })).toThrowError(
      /plugins "acme-counter" and "other" both define MSR 0x1234: ACME_COUNTER and OTHER_COUNTER/,
    )
    const mnemonic = definePlugin({
      name: 'other',
      setup: (host) => host.instructions.define({ mnemonic: 'rdpru', execute: () => {} }),
    })
    expect(() => createMachine({ cpu: 'zen4', plugins: [mnemonic, acmeCounter] })).toThrowError(
      /plugins "acme-counter" and "other" both give "rdpru" its semantics/,
    )
  })
})
