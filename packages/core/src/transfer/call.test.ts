import { describe, expect, test } from 'vitest'
import type { Cpu } from '../cpu/cpu.js'
import { CET_SH_STK_EN, CR4_CET } from '../state/control.js'
import { CR4, CS, PL0_SSP, PL3_SSP, S_CET, SEGMENT_LIMIT, SS, segmentSlot, TR, U_CET } from '../state/registers.js'
import {
  CODE,
  DATA,
  faultOf,
  gdtCpu,
  instruction,
  RING0_STACK,
  SHADOW,
  STACK,
  sel,
  TSS,
  USER_SHADOW,
} from '../testing/gdt-machine.js'
import { callFar } from './call.js'

const CALL = instruction('callf', 4, { memory: DATA })

function pointing(selector: number, offset: bigint, cpl = 0): Cpu {
  const cpu = gdtCpu({ cpl })
  cpu.setSegment(TR, { selector: sel('tss'), base: TSS, limit: 0x67, access: 0x8b })
  cpu.space.write64(DATA, offset | (BigInt(selector) << 32n))
  return cpu
}

const quads = (cpu: Cpu, address: bigint, count: number): bigint[] =>
  Array.from({ length: count }, (_, i) => cpu.space.read64(address + BigInt(8 * i)))

/** Shadow stacks of both privileges on, SSP where `ssp` says. */
function shadowStacks(cpu: Cpu, ssp: bigint): void {
  cpu.set64(S_CET, BigInt(CET_SH_STK_EN))
  cpu.set64(U_CET, BigInt(CET_SH_STK_EN))
  cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
  cpu.ssp = ssp
}

describe('CALL far to a code segment', () => {
  test('pushes CS and RIP in the operand size', () => {
    const cpu = pointing(sel('ring0Code'), 0x1234n)
    callFar(cpu, CALL)
    expect(cpu.rsp).toBe(STACK - 8n)
    expect(cpu.space.read64(cpu.rsp)).toBe((BigInt(sel('ring0Code')) << 32n) | CODE)
    expect(cpu.rip).toBe(0x1234n)
  })

  test('a stack that cannot be written changes no register (#PF)', () => {
    const cpu = pointing(sel('ring0Code'), 0x1234n)
    cpu.rsp = 0x9_0000n
    expect(faultOf(() => callFar(cpu, CALL))).toEqual({ vector: 14, errorCode: 2 })
    expect([cpu.rsp, cpu.rip]).toEqual([0x9_0000n, CODE])
  })
})

describe('CALL far through a gate to ring 0', () => {
  test('SS, RSP, CS and RIP go on the stack that the TSS names; SS becomes null', () => {
    const cpu = pointing(sel('gate', 3), 0n, 3)
    callFar(cpu, CALL)
    expect(cpu.rsp).toBe(RING0_STACK - 32n)
    expect(quads(cpu, cpu.rsp, 4)).toEqual([CODE, BigInt(sel('ring3Code', 3)), STACK, BigInt(sel('ring3Data', 3))])
    expect([cpu.cpl, cpu.segment(CS).selector, cpu.rip]).toEqual([0, sel('ring0Code'), 0x2_0100n])
    expect(cpu.segment(SS)).toMatchObject({ selector: 0, access: 0x1_0000 })
  })

  test('at the same privilege the current stack takes CS and RIP, 8 bytes each', () => {
    const cpu = pointing(sel('gate'), 0n)
    callFar(cpu, CALL)
    expect(quads(cpu, STACK - 16n, 2)).toEqual([CODE, BigInt(sel('ring0Code'))])
    expect(cpu.rsp).toBe(STACK - 16n)
  })

  test('a TSS that is too short is #TS(TSS selector)', () => {
    const cpu = pointing(sel('gate', 3), 0n, 3)
    cpu.words[segmentSlot(TR) + SEGMENT_LIMIT] = 10
    expect(faultOf(() => callFar(cpu, CALL))).toEqual({ vector: 10, errorCode: sel('tss') })
  })

  test.each([0x8000_0000_0000n, 0xffff_8000_0000_0000n])(
    'an RSP0 of %s is #SS(0): it, or what lies below, is not canonical',
    (rsp0) => {
      const cpu = pointing(sel('gate', 3), 0n, 3)
      cpu.space.write64(TSS + 4n, rsp0)
      expect(faultOf(() => callFar(cpu, CALL))).toEqual({ vector: 12, errorCode: 0 })
      expect(cpu.cpl).toBe(3)
    },
  )
})

describe('CALL far with shadow stacks (SDM 1 17.2.2, 17.2.3)', () => {
  test('pushes CS, the linear return address and SSP', () => {
    const cpu = pointing(sel('ring0Code'), 0x1234n)
    shadowStacks(cpu, SHADOW + 0x800n)
    callFar(cpu, CALL)
    expect(cpu.ssp).toBe(SHADOW + 0x800n - 24n)
    expect(quads(cpu, cpu.ssp, 3)).toEqual([SHADOW + 0x800n, CODE, BigInt(sel('ring0Code'))])
  })

  test('an SSP that is aligned to 4 only gets 4 bytes of zeros first', () => {
    const cpu = pointing(sel('ring0Code'), 0x1234n)
    cpu.space.write64(SHADOW + 0x800n, 0xffff_ffff_ffff_ffffn)
    shadowStacks(cpu, SHADOW + 0x804n)
    callFar(cpu, CALL)
    expect(cpu.ssp).toBe(SHADOW + 0x800n - 24n)
    expect(cpu.space.read64(SHADOW + 0x800n)).toBe(0xffff_ffff_0000_0000n)
    expect(cpu.space.read64(cpu.ssp)).toBe(SHADOW + 0x804n)
  })

  test('from ring 3 through a gate: the token is taken, the user SSP put away, nothing pushed', () => {
    const cpu = pointing(sel('gate', 3), 0n, 3)
    shadowStacks(cpu, USER_SHADOW + 0x800n)
    const token = SHADOW + 0xff8n
    cpu.set64(PL0_SSP, token)
    cpu.space.write64(token, token)
    callFar(cpu, CALL)
    expect([cpu.ssp, cpu.get64(PL3_SSP), cpu.space.read64(token)]).toEqual([token, USER_SHADOW + 0x800n, token | 1n])
  })

  test('a busy token is #GP(0), and ring 3 goes on as it was', () => {
    const cpu = pointing(sel('gate', 3), 0n, 3)
    shadowStacks(cpu, USER_SHADOW + 0x800n)
    cpu.set64(PL0_SSP, SHADOW + 0xff8n)
    cpu.space.write64(SHADOW + 0xff8n, (SHADOW + 0xff8n) | 1n)
    expect(faultOf(() => callFar(cpu, CALL))).toEqual({ vector: 13, errorCode: 0 })
    expect([cpu.cpl, cpu.ssp, cpu.rsp]).toEqual([3, USER_SHADOW + 0x800n, STACK])
  })
})
