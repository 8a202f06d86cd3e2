import { createMachine, type Machine } from '@trapframe/core'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { GUEST_CODE, HOST_CODE } from '../flat/memory.js'
import { readFrame } from '../frame/frame.js'
import { fred } from '../plugin.js'

function about(source: string, site: 'guest' | 'host', shadowStacks = false): Machine {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
  const boot = machine.boot('flat-fred', { options: { shadowStacks } })
  boot.sites[site]!.enter(machine.cpu)
  const origin = site === 'guest' ? GUEST_CODE : HOST_CODE
  machine.cpu.space.write(origin, assemble(source, { origin }).bytes)
  return machine
}

describe('A9: what FRED takes away is #UD, in ring 3 too (fred.md, What else changes)', () => {
  test.each(['swapgs', 'sysret', 'db 0x48, 0x0f, 0x07', 'sysexit', 'setssbsy', 'clrssbsy [rax]'])('%s', (source) => {
    for (const site of ['guest', 'host'] as const) {
      const machine = about(source, site, true)
      const { cpu } = machine
      const { rip, gsBase, kernelGsBase } = cpu
      machine.step()
      expect(readFrame(cpu)).toMatchObject({ type: 3, vector: 6, rip, errorCode: 0 })
      const bases = [cpu.gsBase, cpu.kernelGsBase]
      expect(bases).toEqual(site === 'guest' ? [kernelGsBase, gsBase] : [gsBase, kernelGsBase])
    }
  })

  test('an initial SSP comes from RSTORSSP instead: it takes a token, as SETSSBSY cannot', () => {
    const machine = about('rstorssp [rax]', 'host', true)
    const { cpu } = machine
    const token = cpu.ssp - 0x108n
    cpu.space.write64(token, (token + 8n) | 1n)
    cpu.setGpr(0, token)
    machine.step()
    expect(cpu.rip).toBeGreaterThan(HOST_CODE)
    expect(cpu.rip).toBeLessThan(HOST_CODE + 16n)
    expect(cpu.ssp).toBe(token)
  })
})
