import { type Cpu, CR4, CR4_FSGSBASE } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { eventOf, execute, results } from './test-machine.js'

const prepare = (cpu: Cpu) => {
  cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_FSGSBASE))
  cpu.fsBase = 0x7fff_0000_1111n
  cpu.gsBase = 0xffff_8000_0000_2222n
}

describe.each([0, 3] as const)('at CPL %i', (cpl) => {
  test('RDFSBASE and RDGSBASE', () => {
    expect(results('rdfsbase rax\nrdgsbase ecx', { cpl, prepare })).toEqual({ rax: 0x7fff_0000_1111n, rcx: 0x2222n })
  })

  test('WRFSBASE and WRGSBASE; 32 bits are zero-extended', () => {
    const { cpu } = execute('wrfsbase eax\nwrgsbase rax', { cpl, prepare, registers: { rax: 0xffff_9000_0000_3333n } })
    expect([cpu.fsBase, cpu.gsBase]).toEqual([0x3333n, 0xffff_9000_0000_3333n])
  })

  test('a base that is not canonical is #GP(0)', () => {
    expect(eventOf('wrgsbase rax', { cpl, prepare, registers: { rax: 0x8000_0000_0000n } })).toBe('#GP(0)')
  })

  test('without CR4.FSGSBASE they are #UD', () => {
    expect(eventOf('rdfsbase rax', { cpl })).toBe('#UD')
    expect(eventOf('wrgsbase eax', { cpl })).toBe('#UD')
  })
})
