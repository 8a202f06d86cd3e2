import { CR4, CR4_OSXSAVE, VECTOR_DB, VECTOR_UD } from '@trapframe/core'
import { cpuid } from '@trapframe/isa'
import { describe, expect, it } from 'vitest'
import { DELIVERIES, type Run, type RunOptions, runGuest } from '../../test/emulation-machine.js'
import { emulateInvalidOp } from './invalid-op.js'

const RAX = 0
const RCX = 1
const RDX = 2
const RBX = 3

/** Forced emulation of what follows. */
const FORCED = 'ud2\ndb 0x78, 0x65, 0x6e'

const run = (source: string, options: Partial<RunOptions> = {}): Run =>
  runGuest(source, {
    delivery: 'fred',
    ...options,
    handle: (context, { vector }) => vector === VECTOR_UD && emulateInvalidOp(context),
  })

const leaf = (eax: number, ecx = 0): Readonly<Record<number, bigint>> => ({ [RAX]: BigInt(eax), [RCX]: BigInt(ecx) })

describe.each(DELIVERIES)('exc/cpuid-7-1 under %s: CPUID behind the forced-emulation prefix', (delivery) => {
  it.each([false, true])('P3: hides FRED, LKGS and WRMSRNS, which CPUID itself shows (user: %s)', (user) => {
    const result = run(`${FORCED}\ncpuid`, { delivery, user, registers: leaf(7, 1) })
    const real = cpuid(result.cpu, 7, 1)[0]
    expect(real & 0xe0000).toBe(0xe0000)
    expect(result.gpr(RAX)).toBe(BigInt((real & ~0xe0000) >>> 0))
    expect(result.cpu.rflags).toBe(0x202n)
  })

  it('hides what only Xen or a virtual machine may use: SMEP, SMAP, INVPCID, UMIP, CET, VMX, PCID', () => {
    const seven = run(`${FORCED}\ncpuid`, { delivery, registers: leaf(7) })
    expect(seven.gpr(RBX) & 0x10_0480n).toBe(0n)
    expect(seven.gpr(RCX) & 0x84n).toBe(0n)
    expect(seven.gpr(RDX) & 0x10_0000n).toBe(0n)
    expect(seven.gpr(RBX) & 1n).toBe(1n)
    const one = run(`${FORCED}\ncpuid`, { delivery, registers: leaf(1) })
    expect(one.gpr(RCX) & 0x22_0020n).toBe(0n)
  })

  it('shows a kernel the real OSXSAVE, and user code its own CR4’s', () => {
    const bit = 1n << 27n
    const kernel = run(`${FORCED}\ncpuid`, { delivery, registers: leaf(1) })
    expect(kernel.cpu.words[CR4]! & CR4_OSXSAVE).not.toBe(0)
    expect(kernel.gpr(RCX) & bit).toBe(bit)
    expect(run(`${FORCED}\ncpuid`, { delivery, user: true, registers: leaf(1) }).gpr(RCX) & bit).toBe(0n)
  })

  it('names the hypervisor and its version, which CPUID itself does not (db/tf-cpuid)', () => {
    const name = run(`${FORCED}\ncpuid`, { delivery, registers: leaf(0x4000_0000) })
    const bytes = new Uint8Array(new Uint32Array([RBX, RCX, RDX].map((n) => Number(name.gpr(n)))).buffer)
    expect(new TextDecoder().decode(bytes)).toBe('XenVMMXenVMM')
    expect(run(`${FORCED}\ncpuid`, { delivery, registers: leaf(0x4000_0001) }).gpr(RAX) >> 16n).toBe(4n)
    expect(run('cpuid', { delivery, registers: leaf(0x4000_0000) }).gpr(RAX)).toBe(0n)
  })

  it('ends in #DB for a guest that single-steps', () => {
    const { asked } = run(`${FORCED}\ncpuid`, { delivery, rflags: 0x302n, registers: leaf(0) })
    expect(asked.at(-1)).toMatchObject({ handled: true, injected: VECTOR_DB })
  })

  it('is for CPUID only: any other UD2 is the guest’s #UD', () => {
    for (const source of ['ud2', `${FORCED}\nrdtsc`, 'ud2\ndb 0x78, 0x65\ncpuid']) {
      expect(run(source, { delivery }).asked.at(-1)).toMatchObject({ handled: false, event: { vector: 6 } })
    }
  })
})
