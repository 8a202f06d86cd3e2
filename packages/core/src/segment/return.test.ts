import { describe, expect, test } from 'vitest'
import { ACCESS_UNUSABLE } from '../state/control.js'
import { DS, ES, FS, GS, SS } from '../state/registers.js'
import { faultOf, gdtCpu, PERMISSIVE, sel } from '../testing/gdt-machine.js'
import { checkReturnCode, checkReturnStack, commitCode, commitStack, dropInnerSegments } from './return.js'

const GP = 13
const NP = 11
const STACK_FAULT = 12

describe('CS of a return (SDM 3A 5.8.6)', () => {
  test.each([
    ['null', 0, 3, GP, 0],
    ['beyond the table', 0, 0x3fb, GP, 0x3f8],
    ['an RPL below CPL', 3, sel('ring0Code'), GP, sel('ring0Code')],
    ['data', 0, sel('ring0Data'), GP, sel('ring0Data')],
    ['a DPL that is not the RPL', 0, sel('ring0Code', 3), GP, sel('ring0Code')],
    ['L and D both set', 0, sel('bothSizes'), GP, sel('bothSizes')],
    ['code that is not present', 0, sel('absentCode'), NP, sel('absentCode')],
  ])('%s', (_, cpl, selector, vector, errorCode) => {
    expect(faultOf(() => checkReturnCode(gdtCpu({ cpl }), selector))).toEqual({ vector, errorCode })
  })

  test('conforming code may have any RPL that is not below its DPL', () => {
    expect(checkReturnCode(gdtCpu(), sel('conforming', 3)).selector).toBe(sel('conforming', 3))
  })

  test('A3: what the policy forbids is #GP(selector), even for code that is not present', () => {
    const strict = { ...PERMISSIVE, returnToOuterRing: false, ring0CompatibilityMode: false }
    const cpu = gdtCpu()
    for (const selector of [sel('ring3Code', 3), sel('ring0Code32')]) {
      expect(checkReturnCode(cpu, selector).selector).toBe(selector)
      expect(faultOf(() => checkReturnCode(cpu, selector, strict))).toEqual({ vector: GP, errorCode: selector & ~3 })
    }
  })
})

describe('SS of a return', () => {
  test.each([
    ['null for ring 3', 3, 3, true, GP, 0],
    ['null for compatibility mode', 0, 0, false, GP, 0],
    ['null with another RPL', 0, 3, true, GP, 0],
    ['another RPL', 3, sel('ring3Data', 2), true, GP, sel('ring3Data')],
    ['another DPL', 3, sel('ring0Data', 3), true, GP, sel('ring0Data')],
    ['read-only data', 0, sel('readOnlyData'), true, GP, sel('readOnlyData')],
    ['data that is not present', 0, sel('absentData'), true, STACK_FAULT, sel('absentData')],
  ])('%s', (_, rpl, selector, toLong, vector, errorCode) => {
    expect(faultOf(() => checkReturnStack(gdtCpu(), selector, rpl, toLong))).toEqual({ vector, errorCode })
  })

  test('null is right for 64-bit code of ring 0', () => {
    const cpu = gdtCpu()
    const stack = checkReturnStack(cpu, 0, 0, true)
    expect(stack).toBeNull()
    commitStack(cpu, 0, stack)
    expect(cpu.segment(SS).access).toBe(ACCESS_UNUSABLE)
  })
})

test('commitCode makes CPL and the code size the new ones', () => {
  const cpu = gdtCpu()
  commitCode(cpu, sel('ring3Code32', 3), checkReturnCode(cpu, sel('ring3Code32', 3)), 3)
  expect([cpu.cpl, cpu.codeSize, cpu.user]).toEqual([3, 32, 2])
})

describe('data segments after a return to ring 3', () => {
  const flat = { base: 0n, limit: 0xffff_ffff }

  test('those of ring 0 become null, those of ring 3 and conforming code stay', () => {
    const cpu = gdtCpu({ cpl: 3 })
    cpu.setSegment(ES, { ...flat, selector: 0x10, access: 0xc093 })
    cpu.setSegment(DS, { ...flat, selector: 0x23, access: 0xc0f3 })
    cpu.setSegment(FS, { ...flat, selector: 0x40, access: 0xa09f })
    cpu.setSegment(GS, { ...flat, selector: 0x08, access: 0xa09b })
    dropInnerSegments(cpu)
    expect(cpu.segment(ES)).toEqual({ selector: 0, base: 0n, limit: 0, access: ACCESS_UNUSABLE })
    expect(cpu.segment(DS).selector).toBe(0x23)
    expect(cpu.segment(FS).selector).toBe(0x40)
    expect(cpu.segment(GS).access).toBe(ACCESS_UNUSABLE)
  })

  test('F15: a null selector loses its RPL, its base stays', () => {
    const cpu = gdtCpu({ cpl: 3 })
    cpu.setSegment(GS, { selector: 3, base: 0x7fff_1000n, limit: 0, access: ACCESS_UNUSABLE })
    dropInnerSegments(cpu)
    expect(cpu.segment(GS)).toEqual({ selector: 0, base: 0x7fff_1000n, limit: 0, access: ACCESS_UNUSABLE })
  })
})
