import {
  type Cpu,
  CR4,
  CR4_CET,
  createMachine,
  PAGE_SHADOW_STACK,
  PAGE_USER,
  PL3_SSP,
  raise,
  S_CET,
  U_CET,
} from '@trapframe/core'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { GUEST_CODE, GUEST_DATA, HOST_CODE, handlerAddress, shadowToken } from './flat/memory.js'
import { idt } from './plugin.js'

function flat(site: 'guest' | 'host'): Cpu {
  const machine = createMachine({ cpu: 'sapphire-rapids', plugins: [isa(), idt()] })
  machine.boot('flat-idt', { options: { shadowStacks: true } }).sites[site]!.enter(machine.cpu)
  return machine.cpu
}

const quads = (cpu: Cpu, address: bigint, count: number): bigint[] =>
  Array.from({ length: count }, (_, i) => cpu.space.read64(address + BigInt(8 * i)))

describe('supervisor shadow stacks under the IDT (SDM 1 17.2.3)', () => {
  test('from ring 3: the token at IA32_PL0_SSP becomes busy and nothing is pushed; IRET frees it', () => {
    const cpu = flat('guest')
    const token = shadowToken(0, 0)
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect([cpu.ssp, cpu.space.read64(token)]).toEqual([token, token | 1n])
    cpu.machine.step()
    expect([cpu.cpl, cpu.space.read64(token)]).toEqual([3, token])
  })

  test('within ring 0: CS, linear RIP and the old SSP on the same shadow stack', () => {
    const cpu = flat('host')
    const token = shadowToken(0, 0)
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect(cpu.ssp).toBe(token - 24n)
    expect(quads(cpu, cpu.ssp, 3)).toEqual([token, HOST_CODE, 8n])
    cpu.machine.step()
    expect([cpu.rip, cpu.ssp, cpu.space.read64(token)]).toEqual([HOST_CODE, token, token | 1n])
  })

  test('IST from ring 0: the token of the interrupt SSP table is taken, the frame goes below it, IRET frees it', () => {
    const cpu = flat('host')
    const token = shadowToken(0, 2)
    raise(cpu, { kind: 'nmi' })
    expect(cpu.ssp).toBe(token - 24n)
    expect(quads(cpu, cpu.ssp, 4)).toEqual([shadowToken(0, 0), HOST_CODE, 8n, token | 1n])
    cpu.machine.step()
    expect([cpu.ssp, cpu.space.read64(token)]).toEqual([shadowToken(0, 0), token])
  })

  test('a token left busy turns the next NMI into #GP(EXT), which arrives on the primary stack', () => {
    const cpu = flat('guest')
    cpu.space.write64(shadowToken(0, 2), shadowToken(0, 2) | 1n)
    raise(cpu, { kind: 'nmi' })
    expect([cpu.rip, cpu.space.read64(cpu.rsp)]).toEqual([handlerAddress(13), 1n])
  })

  test('with user shadow stacks the user SSP goes to IA32_PL3_SSP and comes back', () => {
    const cpu = flat('guest')
    cpu.space.map(GUEST_DATA, PAGE_USER | PAGE_SHADOW_STACK)
    cpu.setControl(U_CET, 1n)
    cpu.ssp = GUEST_DATA + 0x800n
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect(cpu.get64(PL3_SSP)).toBe(GUEST_DATA + 0x800n)
    cpu.machine.step()
    expect([cpu.rip, cpu.ssp]).toEqual([GUEST_CODE, GUEST_DATA + 0x800n])
  })
})

describe('indirect branch tracking', () => {
  test('a handler without ENDBR64 is #CP(3), one with it goes on', () => {
    const cpu = flat('guest')
    cpu.setControl(S_CET, 4n)
    cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
    cpu.space.write(handlerAddress(21), assemble('endbr64\niretq', { origin: handlerAddress(21) }).bytes)
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    cpu.machine.step()
    expect([cpu.rip, cpu.space.read64(cpu.rsp)]).toEqual([handlerAddress(21), 3n])
    cpu.machine.step()
    expect(cpu.rip).toBe(handlerAddress(21) + 4n)
    expect(cpu.get64(S_CET)).toBe(4n)
  })
})
