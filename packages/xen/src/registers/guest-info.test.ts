import { IF, IOPL, VM } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { xenMachine } from '../../test/xen-machine.js'
import { CPU_INFO, cpuInfoLayout } from '../layout/cpu-info.js'
import { DATA_SELECTORS, GENERAL_REGISTERS, USER_REGS, USER_REGS_BYTES, USER_REGS_FIELDS } from '../layout/user-regs.js'
import { vcpuOf } from './context-switch.js'
import { EINVAL, getInfoGuest, setInfoGuest } from './guest-info.js'
import {
  GUEST_CONTEXT,
  GUEST_CONTEXT_BYTES,
  PUBLIC_USER_REGS,
  PUBLIC_USER_REGS_BYTES,
  TRAP_INFO_BYTES,
  VGCF_IN_KERNEL,
  viewBuffer,
} from './public-layout.js'

/** A context with a different value everywhere. */
function someContext() {
  const bytes = new Uint8Array(GUEST_CONTEXT_BYTES)
  const context = viewBuffer(bytes, GUEST_CONTEXT)
  const regs = viewBuffer(context.part('user_regs'), PUBLIC_USER_REGS)
  GENERAL_REGISTERS.forEach((name, n) => {
    regs.set(name, 0xaa00_0000_0000_0000n + BigInt(n))
  })
  regs.set('rip', 0x40_1000n)
  regs.set('rsp', 0x7fff_f000n)
  regs.set('cs', 0xe030n)
  regs.set('saved_upcall_mask', 1n)
  regs.set('rflags', 0x1246n)
  regs.set('ss', 0xe028n)
  DATA_SELECTORS.forEach((name, n) => {
    regs.set(name, BigInt(0x4b + 8 * n))
  })
  for (const [n, name] of ['kernel_sp', 'event_callback_eip', 'fs_base', 'gs_base_kernel', 'gs_base_user'].entries()) {
    context.set(name, 0xffff_8800_0000_0000n + BigInt(n))
  }
  context.set('kernel_ss', 0xe028n)
  context.set('flags', VGCF_IN_KERNEL)
  context.part('fpu_ctxt').fill(0x5a)
  context.part('ctrlreg').fill(0x11)
  const trap = new DataView(bytes.buffer, bytes.byteOffset + GUEST_CONTEXT.offsets.get('trap_ctxt')!)
  trap.setUint8(14 * TRAP_INFO_BYTES, 14)
  trap.setUint16(14 * TRAP_INFO_BYTES + 2, 0xe030, true)
  trap.setBigUint64(14 * TRAP_INFO_BYTES + 8, 0xffff_8800_1234_0000n, true)
  return { bytes, context, regs, trap }
}

const machine = () => {
  const { cpu } = xenMachine('panther-lake', { delivery: 'fred' })
  return { cpu, vcpu: vcpuOf(cpu, 'guest', CPU_INFO) }
}

describe('X10: the public cpu_user_regs', () => {
  it('has 200 bytes, with es, ds, fs and gs above ss, each in a quadword', () => {
    expect(PUBLIC_USER_REGS_BYTES).toBe(200)
    const at = (name: string) => PUBLIC_USER_REGS.offsets.get(name)
    expect(['ss', 'es', 'ds', 'fs', 'gs'].map(at)).toEqual([160, 168, 176, 184, 192])
    expect([at('cs'), at('saved_upcall_mask'), at('rflags')]).toEqual([136, 140, 144])
  })

  it('is like Xen’s own up to ss, which ends there: the same offsets, 168 bytes, no data selectors', () => {
    for (const { name } of USER_REGS_FIELDS) {
      expect(PUBLIC_USER_REGS.offsets.get(name)).toBe(USER_REGS.offsets.get(name))
    }
    expect(USER_REGS_BYTES).toBe(168)
    expect(USER_REGS_FIELDS.map(({ name }) => name)).not.toContain('ds')
  })

  it('lies in a vcpu_guest_context of 5168 bytes, behind 512 bytes of FPU state and the flags', () => {
    expect(GUEST_CONTEXT_BYTES).toBe(5168)
    expect(GUEST_CONTEXT.offsets.get('user_regs')).toBe(520)
    expect(GUEST_CONTEXT.offsets.get('trap_ctxt')).toBe(720)
  })
})

describe('X11: arch_set_info_guest and arch_get_info_guest', () => {
  it('what is set is got again, with RPL 3 in CS, SS, the kernel stack and the handlers', () => {
    const { cpu, vcpu } = machine()
    const { bytes, context, regs, trap } = someContext()
    expect(setInfoGuest(cpu, vcpu, bytes)).toBe(0)
    regs.set('cs', 0xe033n)
    regs.set('ss', 0xe02bn)
    context.set('kernel_ss', 0xe02bn)
    trap.setUint16(14 * TRAP_INFO_BYTES + 2, 0xe033, true)
    expect(getInfoGuest(cpu, vcpu)).toEqual(bytes)
  })

  it('the data selectors go to pv_vcpu and come from there', () => {
    const { cpu, vcpu } = machine()
    setInfoGuest(cpu, vcpu, someContext().bytes)
    expect(['es', 'ds', 'fs', 'gs'].map((name) => vcpu.get(name))).toEqual([0x4bn, 0x53n, 0x5bn, 0x63n])
    vcpu.setSelector('fs', 0xe02b)
    const regs = viewBuffer(viewBuffer(getInfoGuest(cpu, vcpu), GUEST_CONTEXT).part('user_regs'), PUBLIC_USER_REGS)
    expect(regs.get('fs')).toBe(0xe02bn)
  })

  it('before FRED they went into cpu_user_regs with the rest', () => {
    const { cpu } = xenMachine('panther-lake', { delivery: 'idt', options: { layout: 'vm86' } })
    const vcpu = vcpuOf(cpu, 'guest', cpuInfoLayout('vm86', 'idt'))
    setInfoGuest(cpu, vcpu, someContext().bytes)
    expect(['es', 'ds', 'fs', 'gs'].map((name) => vcpu.get(name))).toEqual([0n, 0n, 0n, 0n])
    expect(cpu.space.read64(vcpu.userRegs.address + 176n)).toBe(0x53n)
  })

  it('VM is cleared, IF set, and IOPL kept apart from the RFLAGS that the guest runs with', () => {
    const { cpu, vcpu } = machine()
    const { bytes, regs } = someContext()
    regs.set('rflags', BigInt(VM | IOPL) | 2n)
    setInfoGuest(cpu, vcpu, bytes)
    expect(vcpu.userRegs.get('rflags')).toBe(BigInt(IF) | 2n)
    const got = viewBuffer(viewBuffer(getInfoGuest(cpu, vcpu), GUEST_CONTEXT).part('user_regs'), PUBLIC_USER_REGS)
    expect(got.get('rflags')).toBe(BigInt(IF | IOPL) | 2n)
  })

  it.each([
    'kernel_sp',
    'event_callback_eip',
    'failsafe_callback_eip',
    'syscall_callback_eip',
    'fs_base',
    'gs_base_user',
  ])('a non-canonical %s is -EINVAL, and nothing is changed', (name) => {
    const { cpu, vcpu } = machine()
    const before = getInfoGuest(cpu, vcpu)
    const { bytes, context } = someContext()
    context.set(name, 0x8000_0000_0000_0000n)
    expect(setInfoGuest(cpu, vcpu, bytes)).toBe(EINVAL)
    expect(getInfoGuest(cpu, vcpu)).toEqual(before)
  })

  it('so is a non-canonical RIP or RSP, and an LDT’s base only if it has entries', () => {
    const { cpu, vcpu } = machine()
    for (const name of ['rip', 'rsp']) {
      const { bytes, regs } = someContext()
      regs.set(name, 0x0000_8000_0000_0000n)
      expect(setInfoGuest(cpu, vcpu, bytes)).toBe(EINVAL)
    }
    const { bytes, context } = someContext()
    context.set('ldt_base', 0x0000_8000_0000_0000n)
    expect(setInfoGuest(cpu, vcpu, bytes)).toBe(0)
    context.set('ldt_ents', 1n)
    expect(setInfoGuest(cpu, vcpu, bytes)).toBe(EINVAL)
  })

  it('an LDT begins with a page and has at most 8192 entries; a handler’s address is canonical', () => {
    const { cpu, vcpu } = machine()
    for (const [name, value] of [
      ['ldt_base', 0x1008n],
      ['ldt_ents', 8193n],
    ] as const) {
      const { bytes, context } = someContext()
      context.set(name, value)
      expect(setInfoGuest(cpu, vcpu, bytes)).toBe(EINVAL)
    }
    const { bytes, trap } = someContext()
    trap.setBigUint64(255 * TRAP_INFO_BYTES + 8, 0x8000_0000_0000n, true)
    expect(setInfoGuest(cpu, vcpu, bytes)).toBe(EINVAL)
  })

  it('what FRED adds to the selectors’ quadwords does not reach the guest', () => {
    const { cpu, vcpu } = machine()
    setInfoGuest(cpu, vcpu, someContext().bytes)
    vcpu.userRegs.set('ss', 0x2206_0080_0003_e02bn)
    vcpu.userRegs.set('cs', 0x1_0003_e033n)
    const part = viewBuffer(getInfoGuest(cpu, vcpu), GUEST_CONTEXT).part('user_regs')
    const quads = new DataView(part.buffer, part.byteOffset)
    expect(quads.getBigUint64(160, true)).toBe(0xe02bn)
    expect(quads.getBigUint64(136, true)).toBe(0x1_0000_e033n)
  })

  it('another number of bytes is no context', () => {
    const { cpu, vcpu } = machine()
    expect(() => setInfoGuest(cpu, vcpu, new Uint8Array(100))).toThrow('5168')
  })
})
