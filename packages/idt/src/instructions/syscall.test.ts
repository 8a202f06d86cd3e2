import { CR4, CR4_CET, CS, EFER, FMASK, PL3_SSP, S_CET, SS, U_CET } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { flat } from '../../test/flat-machine.js'
import {
  GUEST_CODE,
  GUEST_STACK_TOP,
  guestGsBase,
  handlerAddress,
  SYSCALL_ENTRY,
  SYSCALL_ENTRY_32,
} from '../flat/memory.js'

const RCX = 1
const R11 = 11
const TF = 0x100n

describe('SYSCALL', () => {
  test('the syscall gap: ring 0 starts with the caller’s RSP and GS (X7)', () => {
    const { machine, cpu } = flat({ source: 'syscall' })
    machine.step()
    expect([cpu.cpl, cpu.rip, cpu.rsp, cpu.gsBase]).toEqual([0, SYSCALL_ENTRY, GUEST_STACK_TOP, guestGsBase(0)])
    expect([cpu.gpr(RCX), cpu.gpr(R11), cpu.rflags]).toEqual([GUEST_CODE + 2n, 0x202n, 0x2n])
    expect(cpu.segment(CS)).toEqual({ selector: 8, base: 0n, limit: 0xffff_ffff, access: 0xa09b })
    expect(cpu.segment(SS)).toEqual({ selector: 0x10, base: 0n, limit: 0xffff_ffff, access: 0xc093 })
  })

  test('XSA-204: the single step after it is judged by the TF that FMASK left', () => {
    for (const masked of [true, false]) {
      const { machine, cpu } = flat({ source: 'syscall' })
      cpu.rflags = 0x302n
      cpu.set64(FMASK, masked ? TF : 0n)
      machine.step()
      expect(cpu.gpr(R11) & TF).toBe(TF)
      machine.step()
      expect(cpu.rip === handlerAddress(1)).toBe(!masked)
    }
  })

  test('without EFER.SCE it is #UD', () => {
    const { machine, cpu } = flat({ source: 'syscall' })
    cpu.setControl(EFER, cpu.efer & ~1n)
    machine.step()
    expect(cpu.rip).toBe(handlerAddress(6))
  })

  test.each([
    ['panther-lake', handlerAddress(6)],
    ['zen4', SYSCALL_ENTRY_32],
  ])('from compatibility mode on %s', (model, rip) => {
    const { machine, cpu } = flat({ cpu: model, source: 'db 0x0f, 0x05' })
    cpu.setSegment(CS, { selector: 0x1b, base: 0n, limit: 0xffff_ffff, access: 0xc0fb })
    machine.step()
    expect([cpu.rip, cpu.codeSize]).toEqual([rip, 64])
  })

  test('CET: the user SSP goes to IA32_PL3_SSP, SSP is 0, an ENDBR64 must follow', () => {
    const { machine, cpu } = flat({ source: 'syscall' })
    cpu.set64(S_CET, 5n)
    cpu.set64(U_CET, 1n)
    cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
    cpu.ssp = 0x1234_5678n
    machine.step()
    expect([cpu.ssp, cpu.get64(PL3_SSP), cpu.get64(S_CET)]).toEqual([0n, 0x1234_5678n, 0x805n])
  })
})

describe('SYSRET', () => {
  const RETURN64 = 'o64 sysret'

  test('goes back to ring 3 with RFLAGS from R11, on the RSP that software loaded', () => {
    const { machine, cpu } = flat({ site: 'host', source: RETURN64 })
    cpu.setGpr(RCX, GUEST_CODE)
    cpu.setGpr(R11, 0xffff_ffff_ffff_fcd7n)
    cpu.rsp = 0x1234n
    machine.step()
    expect([cpu.cpl, cpu.rip, cpu.rsp, cpu.rflags]).toEqual([3, GUEST_CODE, 0x1234n, 0x3c_7cd7n])
    expect(cpu.segment(CS).selector).toBe(0x2b)
  })

  test('to compatibility mode takes ECX and IA32_STAR[63:48]', () => {
    const { machine, cpu } = flat({ site: 'host', source: 'db 0x0f, 0x07' })
    cpu.setGpr(RCX, 0xffff_ffff_0040_0000n)
    cpu.setGpr(R11, 0x202n)
    machine.step()
    expect([cpu.codeSize, cpu.rip, cpu.segment(CS).selector]).toEqual([32, 0x40_0000n, 0x1b])
  })

  test.each([
    ['panther-lake', 0, handlerAddress(6)],
    ['zen4', 3, GUEST_CODE],
  ])('in compatibility mode of ring 0 on %s: CPL %i', (model, cpl, rip) => {
    const { machine, cpu } = flat({ cpu: model, site: 'host', source: 'db 0x0f, 0x07' })
    cpu.setSegment(CS, { selector: 8, base: 0n, limit: 0xffff_ffff, access: 0xc09b })
    cpu.setGpr(RCX, GUEST_CODE)
    cpu.rflags = 0x2n
    machine.step()
    expect([cpu.cpl, cpu.rip, cpu.rflags & 0x200n]).toEqual([cpl, rip, cpl === 3 ? 0x200n : 0n])
  })

  test('in ring 3 it is #GP(0)', () => {
    const { machine, cpu } = flat({ source: RETURN64 })
    machine.step()
    expect(cpu.rip).toBe(handlerAddress(13))
  })

  test('tells observers that the kernel was left', () => {
    const { machine, cpu } = flat({ site: 'host', source: RETURN64 })
    const left: string[] = []
    machine.observe({ returned: (_, mnemonic) => void left.push(mnemonic) })
    cpu.setGpr(RCX, GUEST_CODE)
    machine.step()
    expect(left).toEqual(['sysret'])
  })

  test('with user shadow stacks SSP comes from IA32_PL3_SSP', () => {
    const { machine, cpu } = flat({ site: 'host', source: RETURN64 })
    cpu.set64(U_CET, 1n)
    cpu.set64(PL3_SSP, 0x1234_5678n)
    cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
    cpu.setGpr(RCX, GUEST_CODE)
    cpu.setGpr(R11, 2n)
    machine.step()
    expect(cpu.ssp).toBe(0x1234_5678n)
  })
})
