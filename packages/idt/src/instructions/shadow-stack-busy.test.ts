import { PL0_SSP } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { flat } from '../../test/flat-machine.js'
import { GUEST_CODE, HOST_CODE, handlerAddress, shadowToken } from '../flat/memory.js'
import { readFrame } from '../frame.js'

const token = shadowToken(0, 1)

describe('SETSSBSY', () => {
  test('takes the token at IA32_PL0_SSP and makes its stack the shadow stack', () => {
    const { machine, cpu } = flat({ site: 'host', source: 'setssbsy', shadowStacks: true })
    cpu.set64(PL0_SSP, token)
    cpu.ssp = 0n
    machine.step()
    expect([cpu.rip, cpu.ssp, cpu.space.read64(token)]).toEqual([HOST_CODE + 4n, token, token | 1n])
  })

  test.each([
    ['busy', token | 1n],
    ['not its own address', token + 0x10n],
  ])('a token that is %s is #CP(5)', (_, value) => {
    const { machine, cpu } = flat({ site: 'host', source: 'setssbsy', shadowStacks: true })
    cpu.set64(PL0_SSP, token)
    cpu.space.write64(token, value)
    machine.step()
    expect([cpu.rip, readFrame(cpu, 21).errorCode]).toEqual([handlerAddress(21), 5])
  })
})

test.each(['setssbsy', `clrssbsy [${token}]`])(
  '%s: #GP(0) in ring 3, #UD without supervisor shadow stacks',
  (source) => {
    const ring3 = flat({ source, shadowStacks: true })
    ring3.machine.step()
    expect([ring3.cpu.rip, readFrame(ring3.cpu, 13).rip]).toEqual([handlerAddress(13), GUEST_CODE])
    const off = flat({ site: 'host', source })
    off.machine.step()
    expect(off.cpu.rip).toBe(handlerAddress(6))
  },
)

test.each([
  ['setssbsy', 4n],
  [`clrssbsy [${token + 4n}]`, 0n],
])('%s with an address that is not aligned is #GP(0)', (source, offset) => {
  const { machine, cpu } = flat({ site: 'host', source, shadowStacks: true })
  cpu.set64(PL0_SSP, token + offset)
  machine.step()
  expect(cpu.rip).toBe(handlerAddress(13))
})
