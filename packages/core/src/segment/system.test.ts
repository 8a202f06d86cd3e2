import { describe, expect, test } from 'vitest'
import { ACCESS_UNUSABLE } from '../state/control.js'
import { GDTR, LDTR, TABLE_LIMIT, TR } from '../state/registers.js'
import { faultOf, GDT, gdtCpu, sel, TSS } from '../testing/gdt-machine.js'
import { loadLdt, loadTask } from './system.js'

const GP = 13
const NP = 11

describe('LTR', () => {
  test('loads TR with a 64-bit base and marks the TSS busy in the table', () => {
    const cpu = gdtCpu()
    cpu.space.write64(GDT + BigInt(sel('tss')) + 8n, 0xffff_8000n)
    loadTask(cpu, sel('tss'))
    expect(cpu.segment(TR)).toEqual({
      selector: sel('tss'),
      base: 0xffff_8000_0000_0000n | TSS,
      limit: 0x67,
      access: 0x8b,
    })
    expect(cpu.space.read64(GDT + BigInt(sel('tss')))).toBe(0x0000_8b01_1000_0067n)
    expect(faultOf(() => loadTask(cpu, sel('tss')))).toEqual({ vector: GP, errorCode: sel('tss') })
  })

  test.each([
    ['null', 0, GP, 0],
    ['a selector into the LDT', sel('tss') | 4, GP, sel('tss') | 4],
    ['another descriptor type', sel('ldt'), GP, sel('ldt')],
    ['a data segment', sel('ring0Data'), GP, sel('ring0Data')],
  ])('%s is refused', (_, selector, vector, errorCode) => {
    expect(faultOf(() => loadTask(gdtCpu(), selector))).toEqual({ vector, errorCode })
  })

  test('all 16 bytes must be within the GDT', () => {
    const cpu = gdtCpu()
    cpu.words[GDTR + TABLE_LIMIT] = sel('tss') + 14
    expect(faultOf(() => loadTask(cpu, sel('tss')))).toEqual({ vector: GP, errorCode: sel('tss') })
  })

  test.each([
    ['a type in the upper half', 0x100n << 32n],
    ['a base that is not canonical', 0x8000_0000n],
  ])('%s is #GP(selector)', (_, upper) => {
    const cpu = gdtCpu()
    cpu.space.write64(GDT + BigInt(sel('tss')) + 8n, upper)
    expect(faultOf(() => loadTask(cpu, sel('tss')))).toEqual({ vector: GP, errorCode: sel('tss') })
  })
})

describe('LLDT', () => {
  test('loads LDTR, and null makes it unusable', () => {
    const cpu = gdtCpu()
    loadLdt(cpu, sel('ldt'))
    expect(cpu.segment(LDTR)).toEqual({ selector: sel('ldt'), base: 0x3_0000n, limit: 0xff, access: 0x82 })
    loadLdt(cpu, 3)
    expect(cpu.segment(LDTR)).toEqual({ selector: 3, base: 0n, limit: 0, access: ACCESS_UNUSABLE })
  })

  test('one that is not present is #NP(selector)', () => {
    const cpu = gdtCpu()
    cpu.space.write64(GDT + BigInt(sel('ldt')), 0x0000_0203_0000_00ffn)
    expect(faultOf(() => loadLdt(cpu, sel('ldt')))).toEqual({ vector: NP, errorCode: sel('ldt') })
  })
})
