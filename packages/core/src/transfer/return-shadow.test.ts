import { describe, expect, test } from 'vitest'
import type { Cpu } from '../cpu/cpu.js'
import { CET_SH_STK_EN, CR4_CET } from '../state/control.js'
import { CR4, PL3_SSP, S_CET, U_CET } from '../state/registers.js'
import {
  DATA,
  faultOf,
  gdtCpu,
  instruction,
  PERMISSIVE,
  push64,
  SHADOW,
  STACK,
  sel,
  USER_SHADOW,
} from '../testing/gdt-machine.js'
import { interruptReturn } from './iret.js'
import { returnFar } from './return-far.js'

const IRETQ = instruction('iret', 8)
const RETFQ = instruction('retf', 8)
const CP_FAR_RET = { vector: 21, errorCode: 2 }
const FRAME = SHADOW + 0xfe0n
/** Where a token lies once the frame below it is popped. */
const TOKEN = FRAME + 24n

/** Ring 0 with a shadow-stack frame: old SSP, linear RIP, CS; above it a busy token. */
function returning(frame: readonly (bigint | number)[], policy = PERMISSIVE): Cpu {
  const cpu = gdtCpu({ policy })
  cpu.set64(S_CET, BigInt(CET_SH_STK_EN))
  cpu.set64(U_CET, BigInt(CET_SH_STK_EN))
  cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
  cpu.ssp = FRAME
  frame.forEach((value, i) => void cpu.space.write64(FRAME + BigInt(8 * i), BigInt(value)))
  cpu.space.write64(TOKEN, TOKEN | 1n)
  return cpu
}

const inRing0 = (cpu: Cpu): void => push64(cpu, 0, STACK, 0x202, sel('ring0Code'), 0x1234)
const toRing3 = (cpu: Cpu): void => push64(cpu, sel('ring3Data', 3), DATA, 0x202, sel('ring3Code', 3), 0x1234)

describe('IRET within ring 0', () => {
  test('restores the SSP that the frame names and frees the token of the stack that it leaves (IST)', () => {
    const cpu = returning([SHADOW + 0x100n, 0x1234, sel('ring0Code')])
    inRing0(cpu)
    interruptReturn(cpu, IRETQ)
    expect([cpu.ssp, cpu.space.read64(TOKEN)]).toEqual([SHADOW + 0x100n, TOKEN])
  })

  test('on the same shadow stack no token is looked at', () => {
    const cpu = returning([TOKEN, 0x1234, sel('ring0Code')])
    inRing0(cpu)
    interruptReturn(cpu, IRETQ)
    expect([cpu.ssp, cpu.space.read64(TOKEN)]).toEqual([TOKEN, TOKEN | 1n])
  })

  test.each([
    ['another CS', [TOKEN, 0x1234, sel('ring0Code') | 0x1_0000]],
    ['another linear address', [TOKEN, 0x1_0000_1234, sel('ring0Code')]],
    ['an old SSP that is not aligned', [TOKEN | 2n, 0x1234, sel('ring0Code')]],
  ])('%s in the frame is #CP(far-ret/iret), and nothing has changed', (_, frame) => {
    const cpu = returning(frame)
    inRing0(cpu)
    expect(faultOf(() => interruptReturn(cpu, IRETQ))).toEqual(CP_FAR_RET)
    expect([cpu.ssp, cpu.space.read64(TOKEN)]).toEqual([FRAME, TOKEN | 1n])
  })

  test('an SSP that is aligned to 4 only is #CP(far-ret/iret)', () => {
    const cpu = returning([])
    inRing0(cpu)
    cpu.ssp = FRAME + 4n
    expect(faultOf(() => interruptReturn(cpu, IRETQ))).toEqual(CP_FAR_RET)
  })

  test('A6: without tokens none is freed', () => {
    const cpu = returning([SHADOW + 0x100n, 0x1234, sel('ring0Code')], { ...PERMISSIVE, shadowStackTokens: false })
    inRing0(cpu)
    interruptReturn(cpu, IRETQ)
    expect([cpu.ssp, cpu.space.read64(TOKEN)]).toEqual([SHADOW + 0x100n, TOKEN | 1n])
  })
})

describe('IRET and RET far to ring 3', () => {
  test('take SSP from IA32_PL3_SSP, pop no frame and free the token at SSP', () => {
    const cpu = returning([])
    cpu.ssp = TOKEN
    cpu.set64(PL3_SSP, USER_SHADOW + 0x100n)
    toRing3(cpu)
    interruptReturn(cpu, IRETQ)
    expect([cpu.cpl, cpu.ssp, cpu.space.read64(TOKEN)]).toEqual([3, USER_SHADOW + 0x100n, TOKEN])
  })

  test('what is no token at SSP is left alone, without a fault', () => {
    const cpu = returning([])
    cpu.ssp = TOKEN
    cpu.space.write64(TOKEN, 0x1111n)
    toRing3(cpu)
    interruptReturn(cpu, IRETQ)
    expect([cpu.cpl, cpu.space.read64(TOKEN)]).toEqual([3, 0x1111n])
  })

  test('a token that cannot be reached is #PF of a shadow-stack write, before anything changes', () => {
    const cpu = returning([])
    cpu.ssp = 0x9_0000n
    toRing3(cpu)
    expect(faultOf(() => interruptReturn(cpu, IRETQ))).toEqual({ vector: 14, errorCode: 0x42 })
    expect(cpu.cpl).toBe(0)
  })

  test('compatibility mode needs IA32_PL3_SSP below 4 GiB: #GP(0)', () => {
    const cpu = returning([])
    cpu.ssp = TOKEN
    cpu.set64(PL3_SSP, 0x1_0000_0000n)
    push64(cpu, sel('ring3Data', 3), DATA, sel('ring3Code32', 3), 0x1234)
    expect(faultOf(() => returnFar(cpu, RETFQ))).toEqual({ vector: 13, errorCode: 0 })
  })
})
