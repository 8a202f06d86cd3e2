import { AMD_BEHAVIOUR, type Cpu, CS, DF, FS, RF } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { CODE, DATA, eventOf, execute, READ_ONLY } from './test-machine.js'

const ABC = [1, 2, 3, 4, 5, 6, 7, 8]

describe('one element', () => {
  test('MOVS copies and moves both indexes, down with DF', () => {
    const up = execute('movsq', { registers: { rsi: DATA, rdi: DATA + 8n }, data: ABC })
    expect(up.data(16)).toEqual([...ABC, ...ABC])
    expect(up.changed).toMatchObject({ rsi: DATA + 8n, rdi: DATA + 16n })
    const down = execute('movsb', { registers: { rsi: DATA + 7n, rdi: DATA + 8n }, data: ABC, rflags: 2 | DF })
    expect(down.changed).toMatchObject({ rsi: DATA + 6n, rdi: DATA + 7n })
  })

  test('LODS, STOS and SCAS use the accumulator', () => {
    expect(execute('lodsw', { registers: { rsi: DATA, rax: -1n }, data: ABC }).changed).toMatchObject({
      rax: 0xffff_ffff_ffff_0201n,
      rsi: DATA + 2n,
    })
    expect(execute('stosd', { registers: { rdi: DATA, rax: 0x0a0b0c0dn } }).data(5)).toEqual([13, 12, 11, 10, 0])
    expect(execute('scasb', { registers: { rdi: DATA, rax: 1n }, data: ABC }).flags).toBe('PF ZF')
    expect(execute('scasb', { registers: { rdi: DATA }, data: ABC }).flags).toBe('CF PF AF SF')
  })

  test('CMPS subtracts [RDI] from [RSI]', () => {
    const outcome = execute('cmpsb', { registers: { rsi: DATA + 1n, rdi: DATA }, data: ABC })
    expect(outcome.flags).toBe('')
    expect(outcome.changed).toMatchObject({ rsi: DATA + 2n, rdi: DATA + 1n })
  })

  test('a segment override moves the source, never the destination', () => {
    const prepare = (cpu: Cpu) => cpu.setSegment(FS, { ...cpu.segment(FS), base: 4n })
    expect(execute('fs movsb', { registers: { rsi: DATA, rdi: DATA + 8n }, data: ABC, prepare }).data(9)[8]).toBe(5)
  })

  test('32-bit address size wraps the indexes in 32 bits', () => {
    const registers = { rsi: 0xdead_0000_0000_0000n | DATA, rdi: DATA + 8n }
    expect(execute('a32 movsb', { registers, data: ABC }).changed).toMatchObject({ rsi: DATA + 1n })
  })

  test('a fault moves nothing', () => {
    expect(execute('movsq', { registers: { rsi: DATA, rdi: READ_ONLY } })).toMatchObject({
      event: '#PF(3)',
      changed: {},
    })
  })
})

describe('REP', () => {
  const copy = { registers: { rsi: DATA, rdi: DATA + 8n, rcx: 3n }, data: ABC }

  test('does one iteration a step and stays at the instruction until the last', () => {
    for (const [steps, rcx, rip] of [
      [1, 2n, CODE],
      [2, 1n, CODE],
      [3, 0n, CODE + 2n],
    ] as const) {
      const { cpu } = execute('rep movsb', { ...copy, steps })
      expect(cpu.gpr(1)).toBe(rcx)
      expect(cpu.rip).toBe(rip)
    }
  })

  test('sets RF between iterations on Intel, not on AMD', () => {
    const rfAfter = (cpu: string, steps: number): boolean =>
      (Number(execute('rep movsb', { ...copy, cpu, steps }).cpu.rflags) & RF) !== 0
    expect(AMD_BEHAVIOUR.rfBetweenIterations).toBe(false)
    expect([rfAfter('panther-lake', 1), rfAfter('panther-lake', 3)]).toEqual([true, false])
    expect([rfAfter('zen4', 1), rfAfter('zen4', 3)]).toEqual([false, false])
  })

  test('a count of 0 does nothing', () => {
    const outcome = execute('rep stosb', { registers: { rdi: 0n } })
    expect(outcome).toMatchObject({ event: '', changed: { rip: CODE + 2n } })
    expect(execute('a32 rep stosb', { registers: { rcx: 0x5_0000_0000n } }).changed).toMatchObject({ rcx: 0n })
  })

  test('a fault in the middle keeps the iterations done and stays at the instruction', () => {
    const outcome = execute('rep stosb', { registers: { rdi: DATA + 0xffen, rcx: 5n }, steps: 5 })
    expect(outcome).toMatchObject({ event: '#PF(2)', changed: { rcx: 3n, rdi: DATA + 0x1000n } })
  })

  test('REPE ends on the first difference, REPNE on the first match', () => {
    const data = [7, 7, 7, 9, 7]
    const scan = (source: string, al: bigint) =>
      execute(source, { registers: { rdi: DATA, rcx: 5n, rax: al }, data, steps: 5 })
    const differs = execute('repe scasb', { registers: { rdi: DATA, rcx: 5n, rax: 7n }, data, steps: 4 })
    expect(differs.changed).toMatchObject({ rcx: 1n, rip: CODE + 2n })
    expect(scan('repne scasb', 9n).cpu.gpr(1)).toBe(1n)
  })

  test('#GP(0) in compatibility mode for a destination that is code', () => {
    const prepare = (cpu: Cpu) => cpu.setSegment(0, { ...cpu.segment(CS) })
    expect(eventOf('stosb', { bits: 32, registers: { rdi: DATA }, prepare })).toBe('#GP(0)')
  })
})
