import { type Cpu, CR0, CR0_TS, CR2, CR4, CR4_SMEP, CR4_UMIP, CR8 } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { DATA, eventOf, execute, results } from './test-machine.js'

const CR0_NOW = 0x8005_0031n

describe('MOV from CRn', () => {
  test('gives all 64 bits', () => {
    expect(results('mov rax, cr0\nmov rcx, cr4')).toEqual({ rax: CR0_NOW, rcx: 0x20n })
    const prepare = (cpu: Cpu) => {
      cpu.set64(CR2, 0xffff_8000_0000_1234n)
      cpu.set64(CR8, 7n)
    }
    expect(results('mov rax, cr2\nmov rcx, cr8', { prepare })).toEqual({ rax: 0xffff_8000_0000_1234n, rcx: 7n })
  })
})

describe('MOV to CRn', () => {
  test('changes what the CPU derives from it', () => {
    const { cpu } = execute('mov cr4, rax', { registers: { rax: 0x20n | BigInt(CR4_SMEP) } })
    expect(cpu.controls.smep).toBe(true)
  })

  test('CR2 takes any value, CR8 four bits', () => {
    expect(execute('mov cr2, rax', { registers: { rax: 0x8000_0000_0000_0000n } }).cpu.get64(CR2)).toBe(1n << 63n)
    expect(execute('mov cr8, rax', { registers: { rax: 15n } }).cpu.get64(CR8)).toBe(15n)
    expect(eventOf('mov cr8, rax', { registers: { rax: 16n } })).toBe('#GP(0)')
  })

  test('a refused value is #GP(0) and changes nothing', () => {
    const outcome = execute('mov cr4, rax', { registers: { rax: 0x20n | (1n << 63n) } })
    expect(outcome.event).toBe('#GP(0)')
    expect(outcome.cpu.cr4).toBe(0x20n)
  })

  test('CR1, CR5 and the like are #UD at every privilege', () => {
    for (const cpl of [0, 3] as const) {
      expect(eventOf('db 0x0f, 0x20, 0xc8', { cpl })).toBe('#UD')
      expect(eventOf('db 0x0f, 0x22, 0xe8', { cpl })).toBe('#UD')
    }
  })
})

test.each(['mov rax, cr0', 'mov rax, cr8', 'mov cr2, rax', 'mov cr4, rax', 'lmsw ax', 'clts'])(
  '%s at CPL 3 is #GP(0)',
  (source) => {
    expect(execute(source, { cpl: 3 })).toMatchObject({ event: '#GP(0)', changed: {} })
  },
)

describe('LMSW, SMSW, CLTS', () => {
  test('LMSW loads TS, EM and MP, and cannot clear PE', () => {
    const { cpu } = execute('lmsw ax', { registers: { rax: 0xfff8n } })
    expect(cpu.cr0).toBe(CR0_NOW | 8n)
    expect(execute('lmsw ax', { prepare: (c) => c.set64(CR0, CR0_NOW | 14n) }).cpu.cr0).toBe(CR0_NOW)
  })

  test('CLTS clears TS', () => {
    expect(execute('clts', { prepare: (cpu) => cpu.set64(CR0, CR0_NOW | BigInt(CR0_TS)) }).cpu.cr0).toBe(CR0_NOW)
  })

  test('SMSW fills a register, writes 16 bits to memory, and is #GP(0) at CPL 3 with CR4.UMIP', () => {
    expect(results('smsw rax')).toEqual({ rax: CR0_NOW })
    expect(results('smsw ax', { registers: { rax: -1n } })).toEqual({ rax: 0xffff_ffff_ffff_0031n })
    expect(execute('smsw [rbx]', { registers: { rbx: DATA } }).data(3)).toEqual([0x31, 0, 0])
    const prepare = (cpu: Cpu) => cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_UMIP))
    expect([eventOf('smsw eax', { cpl: 3 }), eventOf('smsw eax', { cpl: 3, prepare })]).toEqual(['', '#GP(0)'])
  })
})
