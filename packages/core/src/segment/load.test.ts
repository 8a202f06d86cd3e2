import { describe, expect, test } from 'vitest'
import { ACCESS_UNUSABLE } from '../state/control.js'
import { DS, FS, GS, SS } from '../state/registers.js'
import { DATA, DESCRIPTORS, faultOf, GDT, gdtCpu, sel } from '../testing/gdt-machine.js'
import { loadSegment } from './load.js'

const GP = 13
const NP = 11
const STACK_FAULT = 12

describe('MOV to DS, ES, FS, GS', () => {
  test.each([
    ['a selector beyond the GDT', 0xe8, GP, 0xe8],
    ['a system descriptor', sel('tss'), GP, sel('tss')],
    ['code that cannot be read', sel('executeOnly'), GP, sel('executeOnly')],
    ['data of ring 0 from ring 3', sel('ring0Data', 3), GP, sel('ring0Data')],
    ['an RPL above the DPL', sel('readOnlyData', 3), GP, sel('readOnlyData')],
    ['data that is not present', sel('absentData', 3), GP, sel('absentData')],
    ['an LDT selector without LDT', 0x14 | 4, GP, 0x14],
  ])('%s is refused from ring 3', (_, selector, vector, errorCode) => {
    const cpu = gdtCpu({ cpl: 3 })
    expect(faultOf(() => loadSegment(cpu, DS, selector))).toEqual({ vector, errorCode })
    expect(cpu.segment(DS).selector).toBe(sel('ring3Data', 3))
  })

  test('not present is #NP once privilege is right, and of lower priority than it', () => {
    expect(faultOf(() => loadSegment(gdtCpu(), DS, sel('absentData')))).toEqual({
      vector: NP,
      errorCode: sel('absentData'),
    })
  })

  test('the cache takes base, limit and access; the accessed bit is set in the table', () => {
    const cpu = gdtCpu({ cpl: 3 })
    loadSegment(cpu, FS, sel('freshData', 3))
    expect(cpu.segment(FS)).toEqual({
      selector: sel('freshData', 3),
      base: 0x1234_5678n,
      limit: 0xf_ffff,
      access: 0x40f3,
    })
    expect(cpu.space.read64(GDT + BigInt(sel('freshData')))).toBe(DESCRIPTORS.freshData[1] | (1n << 40n))
  })

  test('conforming code may be loaded from any ring, whatever its RPL', () => {
    const cpu = gdtCpu({ cpl: 3 })
    loadSegment(cpu, DS, sel('conforming', 3))
    expect(cpu.segment(DS).selector).toBe(sel('conforming', 3))
  })

  test('a null selector is loaded as it is; base 0 for FS and GS too (user/null-base)', () => {
    const cpu = gdtCpu({ cpl: 3 })
    cpu.gsBase = 0xffff_8000_1234_5678n
    loadSegment(cpu, GS, 3)
    expect(cpu.segment(GS)).toEqual({ selector: 3, base: 0n, limit: 0, access: ACCESS_UNUSABLE })
  })

  test('an accessed bit that cannot be written is #PF and loads nothing', () => {
    const cpu = gdtCpu({ cpl: 3 })
    cpu.space.map(GDT, 0)
    expect(faultOf(() => loadSegment(cpu, DS, sel('freshData', 3)))).toEqual({ vector: 14, errorCode: 3 })
    expect(cpu.segment(DS).selector).toBe(sel('ring3Data', 3))
  })
})

describe('MOV to SS', () => {
  test.each([
    ['another RPL than CPL', 0, sel('ring0Data', 1), GP, sel('ring0Data')],
    ['another DPL than CPL', 0, sel('ring3Data'), GP, sel('ring3Data')],
    ['data that cannot be written', 0, sel('readOnlyData'), GP, sel('readOnlyData')],
    ['code', 0, sel('ring0Code'), GP, sel('ring0Code')],
    ['a segment that is not present', 0, sel('absentData'), STACK_FAULT, sel('absentData')],
    ['null in ring 3', 3, 3, GP, 0],
    ['null with another RPL than CPL in ring 0', 0, 1, GP, 0],
  ])('%s is refused', (_, cpl, selector, vector, errorCode) => {
    const cpu = gdtCpu({ cpl })
    expect(faultOf(() => loadSegment(cpu, SS, selector))).toEqual({ vector, errorCode })
  })

  test('null is allowed in 64-bit mode at CPL 0', () => {
    const cpu = gdtCpu()
    loadSegment(cpu, SS, 0)
    expect(cpu.segment(SS)).toEqual({ selector: 0, base: 0n, limit: 0, access: ACCESS_UNUSABLE })
  })
})

test('a descriptor in the LDT is found through LDTR', () => {
  const cpu = gdtCpu({ cpl: 3 })
  cpu.setSegment(6, { selector: sel('ldt'), base: DATA, limit: 0xff, access: 0x82 })
  cpu.space.write64(DATA + 8n, DESCRIPTORS.ring3Data[1])
  loadSegment(cpu, DS, 0xf)
  expect(cpu.segment(DS)).toMatchObject({ selector: 0xf, limit: 0xffff_ffff })
})
