import { type Cpu, TR } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { DATA, eventOf, execute, results, TABLES } from './test-machine.js'

/** A TSS whose I/O map, from offset 104 on, allows the ports given. */
const allowing =
  (...ports: readonly number[]) =>
  (cpu: Cpu) => {
    const tss = new Uint8Array(256).fill(0xff)
    tss[102] = 104
    tss[103] = 0
    for (const port of ports) tss[104 + (port >> 3)]! &= ~(1 << (port & 7))
    cpu.machine.space(0n).write(TABLES, tss)
    cpu.setSegment(TR, { selector: 0x28, base: TABLES, limit: 150, access: 0x8b })
  }

test('no device answers: ports read as ones, and nothing hears what is written', () => {
  expect(results('in al, 0x10', { registers: { rax: 0x1200n } })).toEqual({ rax: 0x12ffn })
  expect(results('in eax, dx')).toEqual({ rax: 0xffff_ffffn })
  expect(results('out dx, eax\nout 0x80, al')).toEqual({})
})

describe('at CPL 3 above IOPL (SDM 1 19.5)', () => {
  test.each([
    ['in al, 0x10', [0x10], ''],
    ['in al, 0x11', [0x10], '#GP(0)'],
    ['in ax, 0x17', [0x17, 0x18], ''],
    ['in ax, 0x17', [0x17], '#GP(0)'],
    ['out 0x10, eax', [0x10, 0x11, 0x12], '#GP(0)'],
    ['out 0x10, eax', [0x10, 0x11, 0x12, 0x13], ''],
  ])('%s with ports %o allowed: %s', (source, ports, event) => {
    expect(eventOf(source, { cpl: 3, prepare: allowing(...ports) })).toBe(event)
  })

  test('a map that ends before its port, a short or a missing TSS are #GP(0)', () => {
    const limited = (limit: number) => (cpu: Cpu) => {
      allowing(0x10)(cpu)
      cpu.setSegment(TR, { ...cpu.segment(TR), limit })
    }
    expect(eventOf('in al, 0x10', { cpl: 3, prepare: limited(107) })).toBe('')
    expect(eventOf('in al, 0x10', { cpl: 3, prepare: limited(106) })).toBe('#GP(0)')
    expect(eventOf('in al, 0x10', { cpl: 3, prepare: limited(102) })).toBe('#GP(0)')
    expect(eventOf('in al, 0x10', { cpl: 3 })).toBe('#GP(0)')
  })

  test('IOPL 3 needs no map', () => {
    expect(eventOf('in al, 0x10', { cpl: 3, rflags: 0x3002 })).toBe('')
  })
})

describe('INS and OUTS', () => {
  test('REP INSB fills memory with ones, one iteration a step', () => {
    const outcome = execute('rep insb', { registers: { rdi: DATA, rcx: 3n, rdx: 0x10n }, steps: 3 })
    expect(outcome.data(4)).toEqual([255, 255, 255, 0])
    expect(outcome.changed).toMatchObject({ rcx: 0n, rdi: DATA + 3n })
  })

  test('OUTSD reads memory', () => {
    expect(execute('outsd', { registers: { rsi: DATA } }).changed).toMatchObject({ rsi: DATA + 4n })
    expect(eventOf('outsd', { registers: { rsi: 0n } })).toBe('#PF(0)')
  })

  test('ports are checked before memory', () => {
    expect(eventOf('insb', { cpl: 3, registers: { rdi: 0n } })).toBe('#GP(0)')
  })
})
