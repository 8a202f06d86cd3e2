import {
  BLOCKED_BY_NMI,
  BLOCKED_BY_STI,
  type Cpu,
  CR4,
  CR4_CET,
  CS,
  codeAccess32,
  codeAccess64,
  createMachine,
  dataAccess,
  GDTR,
  type Machine,
  PENDING_DEBUG,
  PENDING_TRAP,
  PL0_SSP,
  PL3_SSP,
  type Plugin,
  S_CET,
  SS,
  STAR,
  STATUS,
  TABLE_LIMIT,
  U_CET,
} from '@trapframe/core'
import { toyMechanism } from '@trapframe/core/testing'
import { isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { GDT, GUEST_CODE, HOST_CODE, shadowTop, stackTop } from '../flat/memory.js'
import { encodeFrame, type FredFrame, readFrame } from '../frame/frame.js'
import { IA32_FRED_CONFIG } from '../msrs.js'
import { fred } from '../plugin.js'

const ERETU = Uint8Array.of(0xf3, 0x0f, 0x01, 0xca)
const FRAME = stackTop(0, 0) - 64n

/** A frame that ERETU takes: to 64-bit ring 3 code. */
const GOOD: FredFrame = {
  errorCode: 0xffff,
  rip: GUEST_CODE + 0x10n,
  cs: 0x2b,
  stackLevel: 0,
  waitForEndbranch: false,
  rflags: 2n,
  rsp: 0x1234_5678_9abc_def1n,
  ss: 0x23,
  stiBlocking: false,
  softwareEvent: false,
  nmi: false,
  vector: 0x20,
  type: 0,
  enclave: false,
  mode64: true,
  nested: false,
  length: 0,
  eventData: 0n,
}
const TO_COMPATIBILITY: Partial<FredFrame> = { cs: 0x1b }

/** A machine in ring 0 whose next instruction is ERETU, with the frame at RSP. */
function about(frame: Partial<FredFrame> = {}, more: readonly Plugin[] = []): { machine: Machine; cpu: Cpu } {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa(), ...more] })
  const boot = machine.boot('flat-fred')
  const { cpu } = machine
  boot.sites.host!.enter(cpu)
  cpu.rflags = 2n
  cpu.space.write(HOST_CODE, ERETU)
  cpu.space.write(FRAME, encodeFrame({ ...GOOD, ...frame }))
  cpu.rsp = FRAME
  return { machine, cpu }
}

/** Puts a descriptor into a free place of the GDT and returns its selector with RPL 3. */
function describeSegment(cpu: Cpu, place: number, descriptor: bigint): number {
  cpu.space.write64(GDT + BigInt(place), descriptor)
  cpu.words[GDTR + TABLE_LIMIT] = 0xff
  return place | 3
}

/** The fault that a step raised; it must report ERETU, the RSP before it and ring 0. */
function fault(machine: Machine): { vector: number; errorCode: number } {
  const { cpu } = machine
  const { rsp, gsBase } = cpu
  machine.step()
  const frame = readFrame(cpu)
  expect(frame).toMatchObject({ rip: HOST_CODE, rsp, type: 3, cs: 8 })
  expect(cpu.gsBase).toBe(gsBase)
  return { vector: frame.vector, errorCode: frame.errorCode }
}

const CODE_64 = 0x00af_fb00_0000_ffffn
const CODE_32 = 0x00cf_fb00_0000_ffffn
const DATA = 0x00cf_f300_0000_ffffn
const ACCESSED = 1n << 40n
const PRESENT = 1n << 47n

describe('ERETU (A16): what it gives back', () => {
  test('selectors of IA32_STAR[63:48] + 16 and + 8: fixed 64-bit segments of ring 3, whatever the GDT holds', () => {
    const { machine, cpu } = about({ rflags: 0x3d_4cd7n })
    for (let place = 0x18n; place <= 0x28n; place += 8n) cpu.space.write64(GDT + place, 0n)
    const [host, guest] = [cpu.gsBase, cpu.kernelGsBase]
    machine.step()
    expect(cpu.cpl).toBe(3)
    expect(cpu.codeSize).toBe(64)
    expect([cpu.rip, cpu.rsp, cpu.rflags]).toEqual([GOOD.rip, GOOD.rsp, 0x3d_4cd7n])
    expect(cpu.segment(CS)).toEqual({ selector: 0x2b, base: 0n, limit: 0xffff_ffff, access: codeAccess64(3) })
    expect(cpu.segment(SS)).toEqual({ selector: 0x23, base: 0n, limit: 0xffff_ffff, access: dataAccess(3) })
    expect([cpu.gsBase, cpu.kernelGsBase]).toEqual([guest, host])
  })

  test('selectors of IA32_STAR[63:48] and + 8: fixed compatibility segments, RIP and RSP cut to 32 bits', () => {
    const { machine, cpu } = about({ ...TO_COMPATIBILITY, rip: 0xdead_8000_0040_0010n })
    machine.step()
    expect(cpu.codeSize).toBe(32)
    expect([cpu.rip, cpu.rsp]).toEqual([0x40_0010n, 0x9abc_def1n])
    expect(cpu.segment(CS)).toEqual({ selector: 0x1b, base: 0n, limit: 0xffff_ffff, access: codeAccess32(3) })
  })

  test('all 16 bits of IA32_STAR[63:48] count', () => {
    const { machine, cpu } = about({ cs: 0x8013, ss: 0x800b })
    cpu.set64(STAR, 0x8003_0008_0000_0000n)
    machine.step()
    expect(cpu.segment(CS)).toMatchObject({ selector: 0x8013, access: codeAccess64(3) })
  })

  test('any other selectors are loaded from their table, and their accessed bits set', () => {
    const { machine, cpu } = about({ cs: 0x43, ss: 0x4b })
    describeSegment(cpu, 0x40, CODE_64 & ~ACCESSED)
    describeSegment(cpu, 0x48, 0x0040_f200_1000_0fffn)
    machine.step()
    expect(cpu.cpl).toBe(3)
    expect(cpu.segment(CS)).toMatchObject({ selector: 0x43, access: codeAccess64(3) })
    expect(cpu.segment(SS)).toEqual({ selector: 0x4b, base: 0x1000n, limit: 0xfff, access: 0x40f3 })
    expect(cpu.space.read64(GDT + 0x40n)).toBe(CODE_64)
    expect(cpu.space.read64(GDT + 0x48n)).toBe(0x0040_f300_1000_0fffn)
    expect(cpu.rsp).toBe(GOOD.rsp)
  })

  test('a CS of IA32_STAR with another SS is loaded from its table too', () => {
    const { machine, cpu } = about({ ss: 0x4b })
    describeSegment(cpu, 0x48, DATA)
    cpu.space.write64(GDT + 0x28n, 0n)
    expect(fault(machine)).toEqual({ vector: 13, errorCode: 0x28 })
  })

  test('to 32-bit code with a 16-bit stack: all of ESP is loaded, none of RSP leaks (espfix)', () => {
    const { machine, cpu } = about({ cs: 0x43, ss: 0x4b })
    describeSegment(cpu, 0x40, CODE_32)
    describeSegment(cpu, 0x48, DATA & ~(1n << 54n))
    machine.step()
    expect([cpu.codeSize, cpu.rsp]).toEqual([32, 0x9abc_def1n])
  })
})

describe('ERETU: each check, in order', () => {
  test('#UD outside ring 0 and with CR4.FRED = 0', () => {
    const user = about()
    user.machine.space(0n).map(HOST_CODE, 6)
    user.cpu.cpl = 3
    user.machine.step()
    expect(readFrame(user.cpu)).toMatchObject({ vector: 6, rip: HOST_CODE })

    const off = about({}, [toyMechanism({ entry: HOST_CODE })])
    const events: string[] = []
    off.machine.trace.on('event', ({ event, mechanism }) => void events.push(`${event} through ${mechanism}`))
    off.cpu.setControl(CR4, off.cpu.cr4 & ~(1n << 32n))
    off.machine.step()
    expect(events).toEqual(['#UD through toy'])
  })

  test('#GP(0) on any stack level but 0, before the frame is read', () => {
    for (const level of [1n, 2n, 3n]) {
      const { machine, cpu } = about()
      const { slot } = machine.msrs.get(IA32_FRED_CONFIG)!
      cpu.set64(slot, cpu.get64(slot) | level)
      expect(fault(machine)).toEqual({ vector: 13, errorCode: 0 })
    }
  })

  const REFUSED: readonly (readonly [what: string, frame: Partial<FredFrame>])[] = [
    ['CS has RPL 0', { cs: 0x28 }],
    ['CS has RPL 1', { cs: 0x29 }],
    ['a stack level in the CS image', { stackLevel: 1 }],
    ['bit 18 of the CS image', { waitForEndbranch: true }],
    ['bit 32 of the CS image', { reserved: { errorCode: 0n, cs: 1n << 32n, ss: 0n, last: 0n } }],
    ['RFLAGS bit 1 is clear', { rflags: 0n }],
    ['IOPL 1 (F17)', { rflags: 0x1002n }],
    ['IOPL 2', { rflags: 0x2002n }],
    ['VM', { rflags: 0x2_0002n }],
    ['RFLAGS bit 22', { rflags: 0x40_0002n }],
    ['RFLAGS bit 32', { rflags: 0x1_0000_0002n }],
    ['SS has RPL 0', { ss: 0x20 }],
    ['bit 19 of the SS image', { reserved: { errorCode: 0n, cs: 0n, ss: 1n << 19n, last: 0n } }],
    ['RIP is not canonical, to 64-bit code', { rip: 0x8000_0000_0000n }],
    ['a null CS', { cs: 3 }],
    ['a null SS', { ss: 3 }],
  ]
  test.each(REFUSED)('#GP(0): %s', (_what, frame) => {
    expect(fault(about(frame).machine)).toEqual({ vector: 13, errorCode: 0 })
  })

  const SELECTORS: readonly (readonly [what: string, cs: bigint, ss: bigint, vector: number, errorCode: number])[] = [
    ['a CS that is data', DATA, DATA, 13, 0x40],
    ['a CS of ring 0', 0x00af_9b00_0000_ffffn, DATA, 13, 0x40],
    ['a CS with L and D', CODE_64 | (1n << 54n), DATA, 13, 0x40],
    ['a CS that is not present', CODE_64 & ~PRESENT, DATA, 11, 0x40],
    ['an SS that is code', CODE_64, CODE_64, 13, 0x48],
    ['an SS of ring 0', CODE_64, 0x00cf_9300_0000_ffffn, 13, 0x48],
    ['an SS that is not present (BadIRET)', CODE_64, DATA & ~PRESENT, 12, 0x48],
  ]
  test.each(SELECTORS)('as IRET: %s', (_what, cs, ss, vector, errorCode) => {
    const { machine, cpu } = about({ cs: 0x43, ss: 0x4b })
    describeSegment(cpu, 0x40, cs)
    describeSegment(cpu, 0x48, ss)
    expect(fault(machine)).toEqual({ vector, errorCode })
  })

  test('#GP(selector) for a selector outside its table', () => {
    expect(fault(about({ cs: 0x1003 }).machine)).toEqual({ vector: 13, errorCode: 0x1000 })
  })

  test('#GP(0): EIP beyond the limit of a CS from the table', () => {
    const { machine, cpu } = about({ cs: 0x43, ss: 0x4b, rip: 0x1_0000n })
    describeSegment(cpu, 0x40, 0x0040_fb00_0000_ffffn)
    describeSegment(cpu, 0x48, DATA)
    expect(fault(machine)).toEqual({ vector: 13, errorCode: 0 })
  })
})

describe('ERETU and shadow stacks (A6)', () => {
  function withShadow(frame: Partial<FredFrame> = {}): { machine: Machine; cpu: Cpu } {
    const { machine, cpu } = about(frame)
    cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
    cpu.space.map(shadowTop(0, 0) - 0x1000n, 8)
    cpu.set64(PL0_SSP, shadowTop(0, 0))
    cpu.ssp = shadowTop(0, 0)
    return { machine, cpu }
  }

  test('the supervisor shadow stack must be back where IA32_PL0_SSP says that it starts: else #CP(far-ret)', () => {
    const good = withShadow()
    good.cpu.setControl(S_CET, 1n)
    good.machine.step()
    expect(good.cpu.cpl).toBe(3)
    const bad = withShadow()
    bad.cpu.setControl(S_CET, 1n)
    bad.cpu.ssp -= 8n
    expect(fault(bad.machine)).toEqual({ vector: 21, errorCode: 2 })
  })

  test('a user shadow stack goes on at IA32_PL3_SSP; it is the supervisor’s SSP that is compared', () => {
    const { machine, cpu } = withShadow()
    cpu.setControl(S_CET, 1n)
    cpu.setControl(U_CET, 1n)
    cpu.set64(PL3_SSP, 0x7fff_1234_5678n)
    machine.step()
    expect([cpu.cpl, cpu.ssp]).toEqual([3, 0x7fff_1234_5678n])
  })

  test('#GP(0): to compatibility mode with a user SSP above 4 GiB, before #CP', () => {
    const { machine, cpu } = withShadow(TO_COMPATIBILITY)
    cpu.setControl(U_CET, 1n)
    cpu.set64(PL3_SSP, 0x1_0000_0000n)
    expect(fault(machine)).toEqual({ vector: 13, errorCode: 0 })
    const both = withShadow(TO_COMPATIBILITY)
    both.cpu.setControl(U_CET, 1n)
    both.cpu.setControl(S_CET, 1n)
    both.cpu.set64(PL3_SSP, 0x1_0000_0000n)
    both.cpu.ssp -= 8n
    expect(fault(both.machine)).toEqual({ vector: 13, errorCode: 0 })
  })
})

describe('ERETU: what it does besides', () => {
  test('bit 18 of SS unblocks NMIs; bit 16 is ignored', () => {
    for (const nmi of [true, false]) {
      const { machine, cpu } = about({ nmi, stiBlocking: true, rflags: 0x202n })
      cpu.words[STATUS] = BLOCKED_BY_NMI
      machine.step()
      expect(cpu.words[STATUS]).toBe(nmi ? 0 : BLOCKED_BY_NMI)
      expect(cpu.words[STATUS]! & BLOCKED_BY_STI).toBe(0)
    }
  })

  test('bit 17 of SS pends a single-step #DB if TF is set in the image', () => {
    for (const softwareEvent of [true, false]) {
      const { machine, cpu } = about({ softwareEvent, rflags: 0x102n })
      machine.step()
      expect((cpu.words[STATUS]! & PENDING_TRAP) !== 0).toBe(softwareEvent)
      expect(cpu.words[PENDING_DEBUG]).toBe(softwareEvent ? 0x4000 : 0)
    }
  })

  test('a step over SYSCALL with TF set: one #DB in all, after it (the shape of XSA-204)', () => {
    const { machine, cpu } = about({ softwareEvent: true, rflags: 0x102n })
    cpu.space.write(GUEST_CODE + 0x10n, Uint8Array.of(0x90))
    const events: string[] = []
    machine.trace.on('event', ({ event }) => void events.push(event))
    machine.step()
    machine.step()
    expect(events).toEqual(['#DB'])
    expect(readFrame(cpu)).toMatchObject({ rip: GOOD.rip, eventData: 0x4000n })
  })
})
