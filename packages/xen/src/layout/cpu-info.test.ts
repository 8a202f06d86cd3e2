import { describe, expect, it } from 'vitest'
import { CPU_INFO, CPU_STATE_FIELDS, cpuStateOffset, layOutCpuInfo, STACK_BYTES } from './cpu-info.js'
import { USER_REGS_BYTES, userRegsOffset } from './user-regs.js'

describe('cpu_user_regs', () => {
  it('X9: 168 bytes: 15 registers, error code and entry vector in one quadword, the frame', () => {
    expect(USER_REGS_BYTES).toBe(15 * 8 + 8 + 5 * 8)
    expect(userRegsOffset('r15')).toBe(0)
    expect(userRegsOffset('rdi')).toBe(14 * 8)
    expect(userRegsOffset('error_code')).toBe(120)
    expect(userRegsOffset('entry_vector')).toBe(124)
    expect(userRegsOffset('rip')).toBe(128)
    expect(userRegsOffset('ss')).toBe(160)
  })
})

describe('cpu_info', () => {
  it('X8: FRED_RSP_SL0 = stack end - 64, RSP0 = stack end - 80', () => {
    expect(STACK_BYTES - CPU_INFO.fredRsp0).toBe(64)
    expect(STACK_BYTES - CPU_INFO.rsp0).toBe(80)
    expect(CPU_INFO.fredRsp0 % 64).toBe(0)
    expect(CPU_INFO.rsp0 % 16).toBe(0)
    expect(CPU_INFO.guestRegs).toBe(0x7f08)
  })

  it('X8: what lies above fred_info is exactly 64 bytes with one of padding', () => {
    expect(cpuStateOffset('processor_id')).toBe(STACK_BYTES - 64)
    expect(cpuStateOffset('current_vcpu')).toBe(STACK_BYTES - 56)
    expect(cpuStateOffset('scf')).toBe(STACK_BYTES - 4)
    expect(cpuStateOffset('padding')).toBe(STACK_BYTES - 1)
  })

  it('X8: a field more breaks the 64-byte alignment, and the error shows the arithmetic', () => {
    const more = [...CPU_STATE_FIELDS, { name: 'extra', bytes: 8 }]
    expect(() => layOutCpuInfo({ state: more })).toThrow(
      'cpu_info does not fit: IA32_FRED_RSP0 = 0x8000 (stack) - 0x48 (after fred_info) = 0x7fb8, and 0x7fb8 % 64 = 56',
    )
    expect(() => layOutCpuInfo({ state: more })).toThrow(
      expect.objectContaining({ hint: 'add 56 bytes of padding, or take 8 more away' }),
    )
  })

  it('X8: a fred_info that leaves RSP0 unaligned or has the wrong size is rejected too, and a padded layout is not', () => {
    const odd = [{ name: 'edata', bytes: 8 }]
    expect(() => layOutCpuInfo({ fredInfo: odd })).toThrow(
      'TSS.RSP0 = 0x8000 (stack) - 0x40 (after fred_info) - 0x8 (of fred_info) = 0x7fb8, and 0x7fb8 % 16 = 8',
    )
    const long = ['edata', 'a', 'b', 'c'].map((name) => ({ name, bytes: 8 }))
    expect(() => layOutCpuInfo({ fredInfo: long })).toThrow(
      'fred_info has 0x20 bytes, and FRED pushes 0x40 (frame) - 0x30 (error_code to ss) = 0x10 above ss',
    )
    const padded = [...CPU_STATE_FIELDS, ...Array.from({ length: 8 }, (_, i) => ({ name: `pad${i}`, bytes: 8 }))]
    expect(layOutCpuInfo({ state: padded }).fredRsp0).toBe(STACK_BYTES - 128)
  })
})
