import { type Cpu, CR4, CR4_DE, DR6, DR6_BD, DR6_FIXED, DR7 } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { DATA, eventOf, execute, results } from './test-machine.js'

describe('MOV to and from DRn', () => {
  test('DR0–DR3 take any 64 bits', () => {
    expect(results('mov dr3, rax\nmov rcx, dr3', { registers: { rax: 0x8000_0000_0000_1234n } })).toEqual({
      rcx: 0x8000_0000_0000_1234n,
    })
  })

  test('DR6 and DR7 keep their fixed bits', () => {
    expect(results('mov dr6, rax\nmov rcx, dr6')).toEqual({ rcx: BigInt(DR6_FIXED >>> 0) })
    expect(results('mov dr7, rax\nmov rcx, dr7', { registers: { rax: 0xd800n } })).toEqual({ rcx: 0x400n })
    expect(results('mov dr6, rax\nmov rcx, dr6', { registers: { rax: 0xffff_ffffn } })).toEqual({ rcx: 0xffff_efffn })
  })

  test('a one in the upper half of DR6 or DR7 is #GP(0) (SDM 3B 17.2.6)', () => {
    expect(eventOf('mov dr7, rax', { registers: { rax: 1n << 32n } })).toBe('#GP(0)')
    expect(eventOf('mov dr6, rax', { registers: { rax: 1n << 63n } })).toBe('#GP(0)')
  })

  test('DR7 arms breakpoints at once', () => {
    const registers = { rax: DATA, rcx: 0xd_0001n, rbx: DATA }
    const { cpu, event } = execute('mov dr0, rax\nmov dr7, rcx\nmov [rbx], al\nnop', { registers })
    expect(event).toBe('#DB')
    expect(cpu.words[DR6]! & 1).toBe(1)
  })

  test('DR4 and DR5 are DR6 and DR7, with CR4.DE #UD', () => {
    const prepare = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_DE))
    expect(results('mov rax, dr4')).toEqual({ rax: BigInt(DR6_FIXED >>> 0) })
    expect(results('mov rax, dr5')).toEqual({ rax: 0x400n })
    expect(eventOf('mov rax, dr4', { prepare })).toBe('#UD')
    expect(eventOf('mov dr5, rax', { prepare })).toBe('#UD')
  })

  test('DR7.GD makes any access a #DB with BD, and that #DB clears GD', () => {
    const prepare = (cpu: Cpu) => cpu.setControl(DR7, 0x2400n)
    const outcome = execute('mov rax, dr0', { prepare })
    expect(outcome).toMatchObject({ event: '#DB', changed: {} })
    expect(outcome.cpu.words[DR6]! & DR6_BD).toBe(DR6_BD)
    expect(outcome.cpu.get64(DR7)).toBe(0x400n)
  })

  test('at CPL 3 is #GP(0), GD or not', () => {
    expect(eventOf('mov dr0, rax', { cpl: 3 })).toBe('#GP(0)')
    expect(eventOf('mov rax, dr7', { cpl: 3, prepare: (cpu) => cpu.setControl(DR7, 0x2400n) })).toBe('#GP(0)')
  })
})
