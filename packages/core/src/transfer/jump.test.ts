import { describe, expect, test } from 'vitest'
import { CET_ENDBR_EN, CET_SH_STK_EN, CET_SUPPRESS, CET_TRACKER, CR4_CET } from '../state/control.js'
import { CR4, CS, S_CET } from '../state/registers.js'
import { CODE, DATA, faultOf, GDT, gdtCpu, instruction, PERMISSIVE, sel } from '../testing/gdt-machine.js'
import { jumpFar } from './jump.js'

const GP = 13
const NP = 11
const JMP = instruction('jmpf', 4, { memory: DATA })

/** A CPU whose far pointer at DATA is m16:32. */
function pointing(selector: number, offset: bigint, options: Parameters<typeof gdtCpu>[0] = {}) {
  const cpu = gdtCpu(options)
  cpu.space.write64(DATA, offset | (BigInt(selector) << 32n))
  return cpu
}

describe('JMP far to a code segment', () => {
  test('loads CS with RPL = CPL, and RIP', () => {
    const cpu = pointing(sel('ring0Code'), 0x1234n)
    jumpFar(cpu, JMP)
    expect([cpu.segment(CS).selector, cpu.rip]).toEqual([sel('ring0Code'), 0x1234n])
  })

  test('a conforming segment leaves CPL as it is', () => {
    const cpu = pointing(sel('conforming'), 0x1234n, { cpl: 3 })
    jumpFar(cpu, JMP)
    expect([cpu.segment(CS).selector, cpu.cpl]).toEqual([sel('conforming', 3), 3])
  })

  test('m16:64 reaches all addresses, m16:16 cuts to 16 bits', () => {
    const cpu = gdtCpu()
    cpu.space.write64(DATA, 0xffff_8000_1234_5678n)
    cpu.space.write64(DATA + 8n, BigInt(sel('ring0Code')))
    jumpFar(cpu, instruction('jmpf', 8, { memory: DATA }))
    expect(cpu.rip).toBe(0xffff_8000_1234_5678n)
    cpu.space.write64(DATA, 0x5678n | (BigInt(sel('ring0Code')) << 16n))
    jumpFar(cpu, instruction('jmpf', 2, { memory: DATA }))
    expect(cpu.rip).toBe(0x5678n)
  })

  test.each([
    ['null', 0, 3, GP, 0],
    ['beyond the GDT', 0, 0x3f8, GP, 0x3f8],
    ['data', 0, sel('ring0Data'), GP, sel('ring0Data')],
    ['an inner ring', 3, sel('ring0Code'), GP, sel('ring0Code')],
    ['an outer ring', 0, sel('ring3Code'), GP, sel('ring3Code')],
    ['an RPL above CPL', 0, sel('ring0Code', 3), GP, sel('ring0Code')],
    ['L and D both set', 0, sel('bothSizes'), GP, sel('bothSizes')],
    ['not present', 0, sel('absentCode'), NP, sel('absentCode')],
    ['a TSS', 0, sel('tss'), GP, sel('tss')],
  ])('to %s is refused', (_, cpl, selector, vector, errorCode) => {
    const cpu = pointing(selector, 0x1234n, { cpl })
    expect(faultOf(() => jumpFar(cpu, JMP))).toEqual({ vector, errorCode })
    expect(cpu.rip).toBe(CODE)
  })

  test('RIP that is not canonical is #GP(0)', () => {
    const cpu = gdtCpu()
    cpu.space.write64(DATA, 0x8000_0000_0000n)
    cpu.space.write64(DATA + 8n, BigInt(sel('ring0Code')))
    expect(faultOf(() => jumpFar(cpu, instruction('jmpf', 8, { memory: DATA })))).toEqual({ vector: GP, errorCode: 0 })
  })

  test('A3: ring 0 compatibility mode where the mechanism forbids it', () => {
    expect(faultOf(() => jumpFar(pointing(sel('ring0Code32'), 0n), JMP))).toBeUndefined()
    const policy = { ...PERMISSIVE, ring0CompatibilityMode: false }
    const cpu = pointing(sel('ring0Code32'), 0n, { policy })
    expect(faultOf(() => jumpFar(cpu, JMP))).toEqual({ vector: GP, errorCode: sel('ring0Code32') })
  })
})

describe('JMP far through a call gate', () => {
  test('takes CS and RIP from the gate', () => {
    const cpu = pointing(sel('gate'), 0xdeadn)
    jumpFar(cpu, JMP)
    expect([cpu.segment(CS).selector, cpu.rip]).toEqual([sel('ring0Code'), 0x2_0100n])
  })

  test.each([
    ['to an inner ring: JMP never changes CPL', 3, sel('gate'), GP, sel('ring0Code')],
    ['with a DPL below CPL', 3, sel('innerGate'), GP, sel('innerGate')],
    ['with an RPL above its DPL', 0, sel('innerGate', 3), GP, sel('innerGate')],
    ['that is not present', 0, sel('absentGate'), NP, sel('absentGate')],
  ])('%s', (_, cpl, selector, vector, errorCode) => {
    expect(faultOf(() => jumpFar(pointing(selector, 0n, { cpl }), JMP))).toEqual({ vector, errorCode })
  })

  test.each([
    ['a type in the upper half', (put: (at: number, v: bigint) => void) => put(8, 0x100n << 32n), sel('gate')],
    ['a null selector', (put: (at: number, v: bigint) => void) => put(0, 0x0002_ec00_0000_0100n), 0],
    ['code that is not 64-bit', (put: (at: number, v: bigint) => void) => put(0, 0x0002_ec00_0030_0100n), 0x30],
    ['an address that is not canonical', (put: (at: number, v: bigint) => void) => put(8, 0x8000n), 0],
  ])('%s in the gate is #GP', (_, change, errorCode) => {
    const cpu = pointing(sel('gate'), 0n)
    change((at, value) => cpu.space.write64(GDT + BigInt(sel('gate') + at), value))
    expect(faultOf(() => jumpFar(cpu, JMP))).toEqual({ vector: GP, errorCode })
  })

  test('A3: where the mechanism has no call gates it is #GP(gate), before the gate’s presence is looked at', () => {
    const policy = { ...PERMISSIVE, callGates: false }
    for (const name of ['gate', 'absentGate'] as const) {
      const cpu = pointing(sel(name), 0n, { policy })
      expect(faultOf(() => jumpFar(cpu, JMP))).toEqual({ vector: GP, errorCode: sel(name) })
    }
  })
})

describe('CET', () => {
  test('the target must be an ENDBRANCH, and suppression ends (SDM 1 17.3.4)', () => {
    const cpu = pointing(sel('ring0Code'), 0x1234n)
    cpu.set64(S_CET, BigInt(CET_ENDBR_EN | CET_SUPPRESS))
    cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
    jumpFar(cpu, JMP)
    expect(cpu.get64(S_CET)).toBe(BigInt(CET_ENDBR_EN | CET_TRACKER))
  })

  test('compatibility mode cannot be entered with a shadow stack above 4 GiB', () => {
    const cpu = pointing(sel('ring0Code32'), 0n)
    cpu.set64(S_CET, BigInt(CET_SH_STK_EN))
    cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
    cpu.ssp = 0x1_0000_0000n
    expect(faultOf(() => jumpFar(cpu, JMP))).toEqual({ vector: GP, errorCode: 0 })
  })
})
