import { describe, expect, test } from 'vitest'
import { CS, DS, SS } from '../state/registers.js'
import { CODE, DATA, faultOf, gdtCpu, instruction, push64, STACK, sel } from '../testing/gdt-machine.js'
import { returnFar } from './return-far.js'

const RETFQ = instruction('retf', 8)

describe('RET far', () => {
  test('at the same privilege pops RIP and CS, and releases what its immediate says', () => {
    const cpu = gdtCpu()
    push64(cpu, 0, 0, sel('ring0Code'), 0x1234)
    returnFar(cpu, instruction('retf', 8, { imm: 16 }))
    expect([cpu.rip, cpu.rsp]).toEqual([0x1234n, STACK])
  })

  test('to ring 3 pops RSP and SS from above the parameters, releases there too, and drops inner segments', () => {
    const cpu = gdtCpu()
    push64(cpu, sel('ring3Data', 3), DATA + 0x800n, 0xaaaa, sel('ring3Code', 3), 0x1234)
    returnFar(cpu, instruction('retf', 8, { imm: 8 }))
    expect([cpu.cpl, cpu.rip, cpu.rsp]).toEqual([3, 0x1234n, DATA + 0x808n])
    expect([cpu.segment(CS).selector, cpu.segment(SS).selector]).toEqual([sel('ring3Code', 3), sel('ring3Data', 3)])
    expect(cpu.segment(DS)).toMatchObject({ selector: 0, access: 0x1_0000 })
  })

  test('to compatibility mode cuts RIP and RSP to 32 bits', () => {
    const cpu = gdtCpu()
    push64(cpu, sel('ring3Data', 3), 0x1_0000_2000n, sel('ring3Code32', 3), 0x1_0000_1234n)
    returnFar(cpu, RETFQ)
    expect([cpu.codeSize, cpu.rip, cpu.rsp]).toEqual([32, 0x1234n, 0x2000n])
  })

  test.each([
    ['to an inner ring', 3, [sel('ring0Code'), 0x1234], 13, sel('ring0Code')],
    ['to an address that is not canonical', 0, [sel('ring0Code'), 0x8000_0000_0000], 13, 0],
    ['with a null SS to ring 3', 0, [0, DATA, sel('ring3Code', 3), 0x1234], 13, 0],
    ['to CS that is not present', 0, [sel('absentCode'), 0x1234], 11, sel('absentCode')],
  ] as const)('%s is refused', (_, cpl, words, vector, errorCode) => {
    const cpu = gdtCpu({ cpl })
    push64(cpu, ...words)
    const { rsp } = cpu
    expect(faultOf(() => returnFar(cpu, RETFQ))).toEqual({ vector, errorCode })
    expect([cpu.rip, cpu.rsp, cpu.cpl]).toEqual([CODE, rsp, cpl])
  })
})
