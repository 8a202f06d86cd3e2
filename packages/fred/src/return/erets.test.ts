import {
  BLOCKED_BY_NMI,
  BLOCKED_BY_STI,
  CET_ENDBR_EN,
  CET_SUPPRESS,
  CET_TRACKER,
  type Cpu,
  CR4,
  CR4_CET,
  createMachine,
  type Machine,
  PENDING_DEBUG,
  PENDING_TRAP,
  type Plugin,
  S_CET,
  STATUS,
} from '@trapframe/core'
import { toyMechanism } from '@trapframe/core/testing'
import { isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { HOST_CODE, shadowTop, stackTop } from '../flat/memory.js'
import { encodeFrame, type FredFrame, readFrame } from '../frame/frame.js'
import { IA32_FRED_CONFIG } from '../msrs.js'
import { fred } from '../plugin.js'

const ERETS = Uint8Array.of(0xf2, 0x0f, 0x01, 0xca)
const FRAME = stackTop(0, 0) - 0x200n

/** A frame that ERETS takes: back to `HOST_CODE + 0x100` with everything as it is. */
const GOOD: FredFrame = {
  errorCode: 0xffff,
  rip: HOST_CODE + 0x100n,
  cs: 0x08,
  stackLevel: 0,
  waitForEndbranch: false,
  rflags: 2n,
  rsp: 0x1234_5678_9abc_def1n,
  ss: 0x10,
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

/** A machine in ring 0 whose next instruction is ERETS, with the frame at RSP. */
function about(
  frame: Partial<FredFrame> = {},
  shadowStacks = false,
  more: readonly Plugin[] = [],
): { machine: Machine; cpu: Cpu } {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa(), ...more] })
  const boot = machine.boot('flat-fred', { options: { shadowStacks } })
  const { cpu } = machine
  boot.sites.host!.enter(cpu)
  cpu.rflags = 2n
  cpu.space.write(HOST_CODE, ERETS)
  cpu.space.write(FRAME, encodeFrame({ ...GOOD, ...frame }))
  cpu.rsp = FRAME
  return { machine, cpu }
}

const setLevel = (cpu: Cpu, level: number): void => {
  const { slot } = cpu.machine.msrs.get(IA32_FRED_CONFIG)!
  cpu.set64(slot, (cpu.get64(slot) & ~3n) | BigInt(level))
}
const level = (cpu: Cpu): number => Number(cpu.get64(cpu.machine.msrs.get(IA32_FRED_CONFIG)!.slot) & 3n)
const returned = (cpu: Cpu): boolean => cpu.rip === GOOD.rip

/** The fault that a step raised, as its frame describes it; it must report ERETS and the RSP before it. */
function fault(machine: Machine): { vector: number; errorCode: number } {
  const { cpu } = machine
  const { rsp } = cpu
  machine.step()
  const frame = readFrame(cpu)
  expect(frame).toMatchObject({ rip: HOST_CODE, rsp, type: 3 })
  return { vector: frame.vector, errorCode: frame.errorCode }
}

const reserved = (quad: 'cs' | 'ss', bit: bigint): Partial<FredFrame> => ({
  reserved: { errorCode: 0n, cs: 0n, ss: 0n, last: 0n, [quad]: 1n << bit },
})

describe('ERETS (A16): what it gives back', () => {
  test('RIP, RFLAGS with RF, RSP; the error code is skipped, CS, SS and GS base stay', () => {
    const { machine, cpu } = about({ rflags: 0x3d_7cd7n })
    const { gsBase } = cpu
    machine.step()
    expect(cpu.rip).toBe(GOOD.rip)
    expect(cpu.rflags).toBe(0x3d_7cd7n)
    expect(cpu.rsp).toBe(GOOD.rsp)
    expect([cpu.segment(1).selector, cpu.segment(2).selector, cpu.gsBase, cpu.cpl]).toEqual([8, 0x10, gsBase, 0])
  })

  test('the stack level falls to the frame’s and never rises', () => {
    for (const current of [0, 1, 2, 3]) {
      for (const stackLevel of [0, 1, 2, 3]) {
        const { machine, cpu } = about({ stackLevel })
        setLevel(cpu, current)
        machine.step()
        expect(returned(cpu)).toBe(true)
        expect(level(cpu)).toBe(Math.min(current, stackLevel))
      }
    }
  })

  test('a frame across two pages, at an odd address', () => {
    const { machine, cpu } = about()
    machine.space(0n).map(0x70_0000n, 1, 2)
    for (const address of [0x70_0fd1n, 0x70_0fe0n, 0x70_0ff5n]) {
      cpu.space.write(address, encodeFrame(GOOD))
      cpu.rip = HOST_CODE
      cpu.rsp = address
      machine.step()
      expect(returned(cpu)).toBe(true)
      expect(cpu.rsp).toBe(GOOD.rsp)
    }
  })

  test('what it does not look at: the error code, SS 63:32, event data, the last quadword', () => {
    const { machine, cpu } = about({
      vector: 0xff,
      type: 15,
      nested: true,
      enclave: true,
      length: 15,
      eventData: 0xffff_ffff_ffff_ffffn,
      reserved: { errorCode: 0xffff_ffff_0000_0000n, cs: 0n, ss: 0x08f0_ff00n << 32n, last: 0xffn },
    })
    machine.step()
    expect(returned(cpu)).toBe(true)
  })
})

describe('ERETS: each check, in order', () => {
  test('#UD outside ring 0 and with CR4.FRED = 0', () => {
    const user = about()
    user.machine.space(0n).map(HOST_CODE, 6)
    user.cpu.cpl = 3
    expect(fault(user.machine)).toEqual({ vector: 6, errorCode: 0 })

    const off = about({}, false, [toyMechanism({ entry: HOST_CODE })])
    const events: string[] = []
    off.machine.trace.on('event', ({ event, mechanism }) => void events.push(`${event} through ${mechanism}`))
    off.cpu.setControl(CR4, off.cpu.cr4 & ~(1n << 32n))
    off.machine.step()
    expect(events).toEqual(['#UD through toy'])
  })

  const REFUSED: readonly (readonly [what: string, frame: Partial<FredFrame>])[] = [
    ['RIP is not canonical', { rip: 0x8000_0000_0000n }],
    ['CS is another selector', { cs: 0x18 }],
    ['CS has another RPL', { cs: 0x0b }],
    ['bit 19 of the CS image', reserved('cs', 19n)],
    ['bit 63 of the CS image', reserved('cs', 63n)],
    ['RFLAGS bit 1 is clear', { rflags: 0n }],
    ['SS is another selector', { ss: 0x18 }],
    ['SS is null, as it was not when the event came (F7)', { ss: 0 }],
    ['bit 19 of the SS image', reserved('ss', 19n)],
    ['bit 31 of the SS image', reserved('ss', 31n)],
    ...[3n, 5n, 15n, 17n, 22n, 31n, 32n, 63n].map(
      (bit) => [`RFLAGS bit ${bit}${bit === 17n ? ', VM (F17)' : ''}`, { rflags: 2n | (1n << bit) }] as const,
    ),
  ]
  test.each(REFUSED)('#GP(0): %s', (_what, frame) => {
    expect(fault(about(frame).machine)).toEqual({ vector: 13, errorCode: 0 })
  })

  test('#SS(0) for a stack that is not canonical, #PF for one that is not there, with the first missing quadword', () => {
    const { machine, cpu } = about()
    machine.space(0n).map(0x70_0000n, 1)
    cpu.set64(machine.msrs.get(0x1d0)!.slot, 0xffff_ffff_ffff_ffffn)
    const before = machine.snapshot()
    cpu.rsp = 0x7fff_ffff_fff8n
    expect(fault(machine)).toEqual({ vector: 12, errorCode: 0 })
    machine.restore(before)
    cpu.rsp = 0x70_0fe4n
    cpu.space.write(0x70_0fecn, encodeFrame(GOOD).subarray(8, 28))
    expect(fault(machine)).toEqual({ vector: 14, errorCode: 0 })
    expect(readFrame(cpu).eventData).toBe(0x70_1000n)
  })
})

describe('ERETS with supervisor shadow stacks (A6)', () => {
  /** The same with what delivery would have left on the shadow stack of `current`, for a frame of level `popped`. */
  function withShadow(current = 0, popped = 0, more: Partial<FredFrame> = {}): { machine: Machine; cpu: Cpu } {
    const { machine, cpu } = about({ stackLevel: popped, ...more }, true)
    setLevel(cpu, current)
    cpu.ssp = shadowTop(0, current) - 24n
    cpu.space.write64(cpu.ssp, shadowTop(0, popped) - 8n)
    cpu.space.write64(cpu.ssp + 8n, GOOD.rip)
    cpu.space.write64(cpu.ssp + 16n, (BigInt(popped) << 16n) | 8n)
    return { machine, cpu }
  }
  const CP = { vector: 21, errorCode: 2 }
  /** Faults of ERETS itself are delivered on a level of their own: SSP may be no place for a frame. */
  const onOwnLevel = (cpu: Cpu): void => cpu.set64(cpu.machine.msrs.get(0x1d0)!.slot, 0xffff_ffff_ffff_ffffn)

  test('SSP comes back, from the same level and from a higher one', () => {
    for (const [current, popped] of [[0, 0] as const, [2, 2] as const, [2, 1] as const, [3, 0] as const]) {
      const { machine, cpu } = withShadow(current, popped)
      machine.step()
      expect(returned(cpu)).toBe(true)
      expect(cpu.ssp).toBe(shadowTop(0, popped) - 8n)
    }
  })

  test('bits 18:16 of CS must be the same on both stacks, all 64 bits of the quadword', () => {
    for (const value of [0x8n, 0x2_0008n, 0x5_0008n, 0x1_0000_0001_0008n]) {
      const { machine, cpu } = withShadow(2, 1)
      onOwnLevel(cpu)
      cpu.space.write64(cpu.ssp + 16n, value)
      expect(fault(machine)).toEqual(CP)
    }
    const { machine, cpu } = withShadow(2, 1, { waitForEndbranch: true })
    cpu.space.write64(cpu.ssp + 16n, 0x5_0008n)
    machine.step()
    expect(returned(cpu)).toBe(true)
  })

  test('#CP: an SSP not aligned to 8, though a good frame lies there', () => {
    const { machine, cpu } = withShadow()
    onOwnLevel(cpu)
    const frame = cpu.space.read(cpu.ssp, 24)
    cpu.ssp -= 28n
    cpu.space.write(cpu.ssp, frame)
    expect(fault(machine)).toEqual(CP)
  })

  test('#CP: another LIP; an SSP to return to with bits 1:0 set', () => {
    for (const [offset, value] of [[8n, GOOD.rip + 1n] as const, [0n, shadowTop(0, 0) - 7n] as const]) {
      const { machine, cpu } = withShadow()
      cpu.space.write64(cpu.ssp + offset, value)
      expect(fault(machine)).toEqual(CP)
    }
  })

  test('#CP: the level falls, and its shadow stack does not end here', () => {
    const { machine, cpu } = withShadow(2, 1)
    onOwnLevel(cpu)
    const ssp = cpu.ssp - 8n
    cpu.space.write(ssp, cpu.space.read(cpu.ssp, 24))
    cpu.ssp = ssp
    expect(fault(machine)).toEqual(CP)
  })

  test('#GP(0): an SSP to return to that is not canonical, checked after #CP', () => {
    const { machine, cpu } = withShadow()
    cpu.space.write64(cpu.ssp, 0x8000_0000_0000n)
    expect(fault(machine)).toEqual({ vector: 13, errorCode: 0 })
    const both = withShadow()
    both.cpu.space.write64(both.cpu.ssp, 0x8000_0000_0001n)
    expect(fault(both.machine)).toEqual(CP)
  })

  test('#PF with bit 6: what SSP points at is no shadow stack; the image on the regular stack is checked before', () => {
    const { machine, cpu } = withShadow()
    onOwnLevel(cpu)
    cpu.ssp = FRAME
    expect(fault(machine)).toEqual({ vector: 14, errorCode: 0x41 })
    const both = withShadow(0, 0, { cs: 0x18 })
    onOwnLevel(both.cpu)
    both.cpu.ssp = FRAME
    expect(fault(both.machine)).toEqual({ vector: 13, errorCode: 0 })
  })
})

describe('ERETS: what it does besides', () => {
  test('bit 18 of SS unblocks NMIs, and without it they stay blocked (F3, F4)', () => {
    for (const nmi of [true, false]) {
      const { machine, cpu } = about({ nmi })
      cpu.words[STATUS] = BLOCKED_BY_NMI
      machine.step()
      expect((cpu.words[STATUS]! & BLOCKED_BY_NMI) !== 0).toBe(!nmi)
    }
  })

  test('a fault leaves NMIs blocked', () => {
    const { machine, cpu } = about({ nmi: true, cs: 0x18 })
    cpu.words[STATUS] = BLOCKED_BY_NMI
    expect(fault(machine).vector).toBe(13)
    expect(cpu.words[STATUS]! & BLOCKED_BY_NMI).not.toBe(0)
  })

  test('bit 16 of SS re-establishes STI blocking, if IF = 1 and ERETS itself was not blocked', () => {
    for (const [rflags, before, expected] of [
      [0x202n, 0, true],
      [0x2n, 0, false],
      [0x202n, BLOCKED_BY_STI, false],
    ] as const) {
      const { machine, cpu } = about({ stiBlocking: true, rflags })
      cpu.words[STATUS] = before
      machine.step()
      expect((cpu.words[STATUS]! & BLOCKED_BY_STI) !== 0).toBe(expected)
    }
  })

  test('bit 17 of SS pends a single-step #DB if TF is set in the image', () => {
    for (const [softwareEvent, rflags, expected] of [
      [true, 0x102n, true],
      [true, 0x2n, false],
      [false, 0x102n, false],
    ] as const) {
      const { machine, cpu } = about({ softwareEvent, rflags })
      machine.step()
      expect(returned(cpu)).toBe(true)
      expect((cpu.words[STATUS]! & PENDING_TRAP) !== 0).toBe(expected)
      expect(cpu.words[PENDING_DEBUG]).toBe(expected ? 0x4000 : 0)
    }
  })

  test('bit 18 of CS makes the tracker wait for an ENDBRANCH again, if it is on and not suppressed', () => {
    for (const [cet, expected] of [
      [CET_ENDBR_EN, CET_ENDBR_EN | CET_TRACKER],
      [CET_ENDBR_EN | CET_SUPPRESS, CET_ENDBR_EN | CET_SUPPRESS],
      [0, 0],
    ] as const) {
      const { machine, cpu } = about({ waitForEndbranch: true })
      cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_CET))
      cpu.setControl(S_CET, BigInt(cet))
      machine.step()
      expect(cpu.words[S_CET]).toBe(expected)
    }
  })

  test('it is traced as the return that it is', () => {
    const { machine } = about()
    const returns: unknown[] = []
    machine.trace.on('return', (entry) => void returns.push(entry))
    machine.step()
    expect(returns).toEqual([{ cpu: 0, mnemonic: 'erets', rip: GOOD.rip, rsp: GOOD.rsp, cpl: 0 }])
  })
})
