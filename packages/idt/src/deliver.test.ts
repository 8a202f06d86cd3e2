import {
  BLOCKED_BY_NMI,
  type Cpu,
  CR4,
  CR4_SMAP,
  CS,
  createMachine,
  IF,
  type Machine,
  NT,
  type RaisedEvent,
  RF,
  RFLAGS,
  raise,
  SS,
  STATUS,
  TF,
  tssRspOffset,
  UnsupportedError,
  VM,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { GDT, GUEST_CODE, GUEST_STACK_TOP, handlerAddress, IDT_TABLE, stackTop, tssAddress } from './flat/memory.js'
import { readFrame } from './frame.js'
import { encodeGate, GATE_BYTES, type Gate, readGate } from './gate.js'
import { idt } from './plugin.js'

function flat(site: 'guest' | 'host' = 'guest', options: Record<string, unknown> = {}): { machine: Machine; cpu: Cpu } {
  const machine = createMachine({ cpu: 'sapphire-rapids', plugins: [idt()] })
  machine.boot('flat-idt', { options }).sites[site]!.enter(machine.cpu)
  return { machine, cpu: machine.cpu }
}

function setGate(cpu: Cpu, vector: number, change: Partial<Gate>): void {
  const gate = { ...readGate(cpu, vector)!, ...change }
  cpu.space.write(IDT_TABLE + BigInt(vector * GATE_BYTES), encodeGate(gate))
}

/** Every kind that is an event under the IDT: vector, bytes by which RIP moves, error code. */
const KINDS: readonly (readonly [RaisedEvent, vector: number, length: number, errorCode: number | null])[] = [
  [{ kind: 'externalInterrupt', vector: 0x20 }, 0x20, 0, null],
  [{ kind: 'externalInterrupt', vector: 14 }, 14, 0, null],
  [{ kind: 'nmi' }, 2, 0, null],
  [{ kind: 'hardwareException', vector: 0 }, 0, 0, null],
  [{ kind: 'hardwareException', vector: 1, eventData: 0x4000n }, 1, 0, null],
  [{ kind: 'hardwareException', vector: 8 }, 8, 0, 0],
  [{ kind: 'hardwareException', vector: 13, errorCode: 0x1234 }, 13, 0, 0x1234],
  [{ kind: 'hardwareException', vector: 14, errorCode: 6, eventData: 0xdead_b000n }, 14, 0, 6],
  [{ kind: 'hardwareException', vector: 18 }, 18, 0, null],
  [{ kind: 'hardwareException', vector: 21, errorCode: 2 }, 21, 0, 2],
  [{ kind: 'softwareInterrupt', vector: 0x80 }, 0x80, 2, null],
  [{ kind: 'int1' }, 1, 1, null],
  [{ kind: 'int3' }, 3, 1, null],
  [{ kind: 'into' }, 4, 1, null],
]

describe('every event arrives through its gate', () => {
  test.each(KINDS)('%o', (event, vector, length, errorCode) => {
    for (const site of ['guest', 'host'] as const) {
      const { cpu } = flat(site)
      const before = { rip: cpu.rip, rsp: cpu.rsp, cs: cpu.segment(CS).selector, ss: cpu.segment(SS).selector }
      raise(cpu, event)
      const isFault = event.kind === 'hardwareException' && vector !== 1
      expect(readFrame(cpu, errorCode === null ? null : vector)).toEqual({
        ...before,
        rip: before.rip + BigInt(length),
        rflags: isFault ? 0x1_0202n : 0x202n,
        errorCode,
      })
      expect([cpu.rip, cpu.cpl, cpu.segment(CS).selector]).toEqual([handlerAddress(vector), 0, 8])
      expect(cpu.rsp % 16n).toBe(errorCode === null ? 8n : 0n)
    }
  })

  test('SYSCALL and SYSENTER are no events here: the error names them', () => {
    const { cpu } = flat()
    expect(() => raise(cpu, { kind: 'syscall' })).toThrow(UnsupportedError)
    expect(() => raise(cpu, { kind: 'sysenter' })).toThrow('SYSENTER is no event under the IDT')
  })
})

describe('the stack', () => {
  test('from ring 3: RSP0, and SS becomes null with RPL 0', () => {
    const { cpu } = flat()
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect(cpu.rsp).toBe(stackTop(0, 0) - 40n)
    expect(cpu.segment(SS)).toEqual({ selector: 0, base: 0n, limit: 0, access: 0x1_0000 })
  })

  test('within ring 0: the current one, aligned down to 16 (A13), and SS stays', () => {
    const { cpu } = flat('host')
    cpu.rsp = stackTop(0, 0) - 0x103n
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect(cpu.rsp).toBe(stackTop(0, 0) - 0x110n - 40n)
    expect(readFrame(cpu, null).rsp).toBe(stackTop(0, 0) - 0x103n)
    expect(cpu.segment(SS).selector).toBe(0x10)
  })

  test('a gate with IST n takes TSS.ISTn from both rings: the second NMI lands on the first one’s frame', () => {
    const { machine, cpu } = flat()
    const switches: string[] = []
    machine.observe({ stackSwitch: (_, lo, __, why) => void switches.push(`${why} ${lo.toString(16)}`) })
    raise(cpu, { kind: 'nmi' })
    const { rsp } = cpu
    expect(rsp).toBe(stackTop(0, 2) - 40n)
    cpu.words[STATUS] = cpu.words[STATUS]! & ~BLOCKED_BY_NMI
    raise(cpu, { kind: 'nmi' })
    expect(cpu.rsp).toBe(rsp)
    expect(readFrame(cpu, null).rip).toBe(handlerAddress(2))
    expect(switches).toEqual(['IST2 1006000', 'IST2 1006000'])
  })

  test('a frame across two pages is the same frame', () => {
    const { cpu } = flat('host')
    cpu.space.map(stackTop(0, 0), 1)
    cpu.rsp = stackTop(0, 0) + 0x10n
    raise(cpu, { kind: 'hardwareException', vector: 13, errorCode: 0x1234 })
    expect(readFrame(cpu, 13)).toMatchObject({ rip: 0x12_0000n, cs: 8, ss: 0x10, errorCode: 0x1234 })
  })

  test('a handler of ring 1: RSP1, and SS is null with RPL 1; from there ring 0 is one more step inward', () => {
    const { cpu } = flat()
    cpu.space.write64(GDT + 0x30n, 0x00af_bb00_0000_ffffn)
    cpu.space.write64(tssAddress(0) + BigInt(tssRspOffset(1)), stackTop(0, 1))
    setGate(cpu, 0x20, { selector: 0x30 })
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect([cpu.cpl, cpu.rsp, cpu.segment(CS).selector]).toEqual([1, stackTop(0, 1) - 40n, 0x31])
    expect(cpu.segment(SS)).toMatchObject({ selector: 1, access: 0x1_0000 })
    raise(cpu, { kind: 'externalInterrupt', vector: 0x21 })
    expect([cpu.cpl, cpu.rsp]).toEqual([0, stackTop(0, 0) - 40n])
    expect(readFrame(cpu, null)).toMatchObject({ cs: 0x31, ss: 1 })
  })

  test('a conforming handler runs at the CPL that it interrupts, on its stack and with its privilege', () => {
    const { cpu } = flat()
    cpu.space.write64(GDT + 0x30n, 0x00af_9f00_0000_ffffn)
    setGate(cpu, 0x20, { selector: 0x30 })
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect([cpu.cpl, cpu.rsp, cpu.segment(CS).selector]).toEqual([3, GUEST_STACK_TOP - 40n, 0x33])
  })
})

describe('RFLAGS', () => {
  test('TF, NT, RF and VM are cleared, IF by an interrupt gate only; the frame has them as found', () => {
    for (const [type, kept] of [
      ['interrupt', 0],
      ['trap', IF],
    ] as const) {
      const { cpu } = flat()
      setGate(cpu, 0x20, { type })
      cpu.rflags = BigInt(TF | NT | RF | IF | 2)
      raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
      expect(cpu.words[RFLAGS]! & (TF | NT | RF | VM | IF)).toBe(kept)
      expect(readFrame(cpu, null).rflags).toBe(BigInt(TF | NT | RF | IF | 2))
    }
  })
})

describe('faults during delivery', () => {
  test('kernel stack overflow: the #PF of the push cannot be pushed either and becomes #DF on IST4', () => {
    const { cpu } = flat('host')
    cpu.rsp = stackTop(0, 0) - 0x1000n + 8n
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect(cpu.rip).toBe(handlerAddress(8))
    expect(cpu.rsp).toBe(stackTop(0, 4) - 48n)
  })

  test('without a stack for #DF the CPU shuts down', () => {
    const { cpu } = flat('host')
    setGate(cpu, 8, { ist: 0 })
    cpu.rsp = stackTop(0, 0) - 0x1000n + 8n
    raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
    expect(cpu.isShutdown).toBe(true)
  })

  test('EXT: 1 while an interrupt or an exception is delivered, 0 for INT n (SDM 3A 6.13)', () => {
    for (const [event, ext] of [
      [{ kind: 'externalInterrupt', vector: 0x80 }, 1],
      [{ kind: 'softwareInterrupt', vector: 0x80 }, 0],
    ] as const) {
      const { cpu } = flat()
      setGate(cpu, 0x80, { present: false })
      raise(cpu, event)
      expect(cpu.rip).toBe(handlerAddress(11))
      expect(readFrame(cpu, 11)).toMatchObject({ errorCode: (0x80 << 3) | 2 | ext, rip: GUEST_CODE, rflags: 0x1_0202n })
    }
  })
})

describe('SMAP and the stack (SDM 3A 4.6.1)', () => {
  test.each([
    ['host', true, 0x20],
    ['host', false, 8],
    ['guest', true, 8],
  ] as const)(
    'from %s with AC = %s the event arrives at vector %i when its stack is a user page',
    (site, ac, vector) => {
      const { cpu } = flat(site)
      cpu.space.map(stackTop(0, 0) - 0x1000n, 1 | 2)
      setGate(cpu, 14, { ist: 1 })
      if (vector === 8) setGate(cpu, 14, { ist: 0 })
      cpu.setControl(CR4, cpu.cr4 | BigInt(CR4_SMAP))
      cpu.rflags = ac ? 0x4_0202n : 0x202n
      raise(cpu, { kind: 'externalInterrupt', vector: 0x20 })
      expect(cpu.rip).toBe(handlerAddress(vector))
    },
  )
})
