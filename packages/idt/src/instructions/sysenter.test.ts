import { CS, SS, writeMsr } from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { flat } from '../../test/flat-machine.js'
import { GUEST_CODE, handlerAddress, SYSENTER_ENTRY, stackTop } from '../flat/memory.js'
import { IA32_SYSENTER_CS } from '../msrs.js'

const RCX = 1
const RDX = 2
const NT_AND_TF = 0x4100n

describe('SYSENTER on Intel', () => {
  test('takes everything from MSRs and saves nothing', () => {
    const { machine, cpu } = flat({ source: 'sysenter' })
    machine.step()
    expect([cpu.cpl, cpu.rip, cpu.rsp, cpu.gpr(RCX)]).toEqual([0, SYSENTER_ENTRY, stackTop(0, 0), 0n])
    expect([cpu.segment(CS).selector, cpu.segment(SS).selector]).toEqual([8, 0x10])
  })

  test('XSA-44, CVE-2013-1917: it clears IF and keeps NT and TF', () => {
    const { machine, cpu } = flat({ source: 'sysenter' })
    cpu.rflags = 0x202n | 0x4000n
    machine.step()
    expect(cpu.rflags).toBe(0x4002n)
    const traced = flat({ source: 'sysenter' })
    traced.cpu.rflags = 0x202n | NT_AND_TF
    traced.machine.step()
    traced.machine.step()
    expect(traced.cpu.rip).toBe(handlerAddress(1))
  })

  test.each(['sysenter', 'o64 sysexit'])('%s with a null IA32_SYSENTER_CS is #GP(0)', (source) => {
    const { machine, cpu } = flat({ site: source === 'sysenter' ? 'guest' : 'host', source })
    writeMsr(cpu, IA32_SYSENTER_CS, 3n)
    machine.step()
    expect(cpu.rip).toBe(handlerAddress(13))
  })
})

describe('SYSEXIT on Intel', () => {
  test.each([
    ['o64 sysexit', 0x2b, 0x33, 64],
    ['db 0x0f, 0x35', 0x1b, 0x23, 32],
  ])('%s: RIP = RDX, RSP = RCX, CS %i, SS %i', (source, cs, ss, codeSize) => {
    const { machine, cpu } = flat({ site: 'host', source })
    cpu.setGpr(RCX, 0x1234n)
    cpu.setGpr(RDX, GUEST_CODE)
    machine.step()
    expect([cpu.cpl, cpu.rip, cpu.rsp, cpu.codeSize]).toEqual([3, GUEST_CODE, 0x1234n, codeSize])
    expect([cpu.segment(CS).selector, cpu.segment(SS).selector]).toEqual([cs, ss])
  })

  test.each([
    ['RCX', RCX],
    ['RDX', RDX],
  ])('with REX.W a non-canonical %s is #GP(0), still in ring 0', (_, register) => {
    const { machine, cpu } = flat({ site: 'host', source: 'o64 sysexit' })
    cpu.setGpr(register, 0x8000_0000_0000n)
    machine.step()
    expect([cpu.rip, cpu.space.read64(cpu.rsp + 16n)]).toEqual([handlerAddress(13), 8n])
  })

  test('in ring 3 it is #GP(0)', () => {
    const { machine, cpu } = flat({ source: 'o64 sysexit' })
    machine.step()
    expect(cpu.rip).toBe(handlerAddress(13))
  })
})
