import {
  BLOCKED_BY_MOV_SS,
  BLOCKED_BY_NMI,
  BLOCKED_BY_STI,
  type Cpu,
  CS,
  codeAccess32,
  codeAccess64,
  createMachine,
  dataAccess,
  FMASK,
  HALTED,
  type Machine,
  type RaisedEvent,
  raise,
  SS,
  STAR,
  STATUS,
  writeMsr,
} from '@trapframe/core'
import { describe, expect, test } from 'vitest'
import { ENTRY_PAGE, stackTop } from '../flat/memory.js'
import { readFrame } from '../frame/frame.js'
import { IA32_FRED_CONFIG, IA32_FRED_STKLVLS } from '../msrs.js'
import { type FredOptions, fred } from '../plugin.js'

function flat(site: 'guest' | 'host' = 'guest', options: FredOptions = {}): { machine: Machine; cpu: Cpu } {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(options)] })
  machine.boot('flat-fred').sites[site]!.enter(machine.cpu)
  return { machine, cpu: machine.cpu }
}

const config = (cpu: Cpu): bigint => cpu.get64(cpu.machine.msrs.get(IA32_FRED_CONFIG)!.slot)
/** Puts the CPU on a stack level, as handlers of that level are. */
const setLevel = (cpu: Cpu, level: number): void => {
  cpu.set64(cpu.machine.msrs.get(IA32_FRED_CONFIG)!.slot, (config(cpu) & ~3n) | BigInt(level))
}

const PF: RaisedEvent = { kind: 'hardwareException', vector: 14, errorCode: 6, eventData: 0xdead_b000n }
const UD: RaisedEvent = { kind: 'hardwareException', vector: 6 }

/** One of each kind, with the description that its frame holds (fred.md, Event types and vectors). */
const KINDS: readonly (readonly [event: RaisedEvent, type: number, vector: number, length: number])[] = [
  [{ kind: 'externalInterrupt', vector: 0x20 }, 0, 0x20, 0],
  [{ kind: 'externalInterrupt', vector: 14 }, 0, 14, 0],
  [{ kind: 'nmi' }, 2, 2, 0],
  [PF, 3, 14, 0],
  [UD, 3, 6, 0],
  [{ kind: 'hardwareException', vector: 1, eventData: 0x4000n }, 3, 1, 0],
  [{ kind: 'softwareInterrupt', vector: 3 }, 4, 3, 2],
  [{ kind: 'softwareInterrupt', vector: 0x80, length: 15 }, 4, 0x80, 15],
  [{ kind: 'int1' }, 5, 1, 1],
  [{ kind: 'int3' }, 6, 3, 1],
  [{ kind: 'into', length: 3 }, 6, 4, 3],
  [{ kind: 'syscall' }, 7, 1, 2],
  [{ kind: 'sysenter' }, 7, 2, 2],
]

describe('A2: every event arrives the same way', () => {
  test.each(KINDS)('%o: type %i, vector %i, length %i', (event, type, vector, length) => {
    for (const site of ['guest', 'host'] as const) {
      const { cpu } = flat(site)
      const before = { rip: cpu.rip, rsp: cpu.rsp, cs: cpu.segment(CS).selector, ss: cpu.segment(SS).selector }
      raise(cpu, event)
      expect(readFrame(cpu)).toEqual({
        ...before,
        rip: before.rip + BigInt(length),
        errorCode: vector === 14 && type === 3 ? 6 : 0,
        stackLevel: 0,
        waitForEndbranch: false,
        rflags: type === 3 && vector !== 1 ? 0x1_0202n : 0x202n,
        stiBlocking: false,
        softwareEvent: type === 4 || type === 7,
        nmi: type === 2,
        vector,
        type,
        enclave: false,
        mode64: true,
        nested: false,
        length,
        eventData: type === 3 ? (vector === 14 ? 0xdead_b000n : vector === 1 ? 0x4000n : 0n) : 0n,
      })
    }
  })

  test('RF: 1 for exceptions but #DB, 0 for types 4 to 7, as found for interrupts and NMI; TF as found', () => {
    for (const [event, type, vector] of KINDS) {
      const { cpu } = flat()
      cpu.rflags = 0x1_0302n
      raise(cpu, event)
      expect(readFrame(cpu).rflags, `type ${type} vector ${vector}`).toBe(type >= 4 ? 0x302n : 0x1_0302n)
    }
  })
})

describe('A4, A8: where the handler begins, and with what', () => {
  test('A4: ring 3 enters at the entry page, ring 0 256 bytes on, whatever the event', () => {
    for (const [event] of KINDS) {
      const { cpu } = flat('guest')
      raise(cpu, event)
      expect(cpu.rip).toBe(ENTRY_PAGE)
      raise(cpu, event)
      expect(cpu.rip).toBe(ENTRY_PAGE + 256n)
    }
  })

  test('A7: no IDT, TSS, LSTAR or SYSENTER MSR takes part; A15: eight quadwords written, nothing read', () => {
    const { machine, cpu } = flat()
    let reads = 0
    const pushed: bigint[] = []
    machine.trace.on('read', () => void reads++)
    machine.trace.on('push', ({ address, bytes }) => {
      expect(bytes).toBe(8)
      pushed.push(address)
    })
    raise(cpu, { kind: 'syscall' })
    expect(reads).toBe(0)
    expect(pushed).toEqual([56n, 48n, 40n, 32n, 24n, 16n, 8n, 0n].map((offset) => cpu.rsp + offset))
  })

  test('A8: CS and SS are flat segments that IA32_STAR[47:32] names, whatever the GDT holds', () => {
    const { cpu } = flat()
    cpu.set64(STAR, 0x1b_00ab_0000_0000n)
    raise(cpu, UD)
    expect(cpu.segment(CS)).toEqual({ selector: 0xa8, base: 0n, limit: 0xffff_ffff, access: codeAccess64(0) })
    expect(cpu.segment(SS)).toEqual({ selector: 0xb3, base: 0n, limit: 0xffff_ffff, access: dataAccess(0) })
  })

  test('in ring 0 CS and SS stay, a null SS too', () => {
    const { cpu } = flat('host')
    cpu.setSegment(SS, { selector: 0, base: 0n, limit: 0, access: 0x10000 })
    cpu.set64(STAR, 0x1b_00ab_0000_0000n)
    raise(cpu, UD)
    expect(cpu.segment(CS).selector).toBe(8)
    expect(cpu.segment(SS)).toMatchObject({ selector: 0, access: 0x10000 })
  })

  test('A8: RFLAGS becomes 2; with rflags: fmask it is RFLAGS & ~IA32_FMASK', () => {
    for (const [rflags, expected] of [['final', 0x2n] as const, ['fmask', 0x4_0402n] as const]) {
      const { cpu } = flat('guest', { rflags })
      cpu.rflags = 0x4_0ed7n
      cpu.set64(FMASK, 0x0ad5n)
      raise(cpu, UD)
      expect(cpu.rflags).toBe(expected)
    }
  })

  test('A1: GS base and IA32_KERNEL_GS_BASE change places when the event comes from ring 3, and only then', () => {
    const { cpu } = flat()
    const [user, kernel] = [cpu.gsBase, cpu.kernelGsBase]
    raise(cpu, { kind: 'nmi' })
    expect([cpu.gsBase, cpu.kernelGsBase]).toEqual([kernel, user])
    raise(cpu, { kind: 'nmi' })
    expect([cpu.gsBase, cpu.kernelGsBase]).toEqual([kernel, user])
  })

  test('from compatibility mode bit 57 is clear, and the handler runs in 64-bit mode', () => {
    const { cpu } = flat()
    cpu.setSegment(CS, { selector: 0x1b, base: 0n, limit: 0xffff_ffff, access: codeAccess32(3) })
    raise(cpu, { kind: 'softwareInterrupt', vector: 0x80 })
    expect(readFrame(cpu)).toMatchObject({ cs: 0x1b, mode64: false })
    expect(cpu.codeSize).toBe(64)
  })
})

describe('A10, A11: stack levels', () => {
  test('A10: from ring 3 interrupts and exceptions enter at SL0 even if they have a level', () => {
    const { cpu } = flat()
    writeMsr(cpu, IA32_FRED_STKLVLS, 0xffff_ffff_ffff_ffffn)
    writeMsr(cpu, IA32_FRED_CONFIG, config(cpu) | (3n << 9n))
    const eights: RaisedEvent[] = [
      { kind: 'externalInterrupt', vector: 8 },
      { kind: 'softwareInterrupt', vector: 8 },
    ]
    for (const event of [...KINDS.map(([one]) => one), ...eights]) {
      const { machine } = cpu
      const before = machine.snapshot()
      raise(cpu, event)
      expect(config(cpu) & 3n).toBe(0n)
      expect(cpu.rsp).toBe(stackTop(0, 0) - 64n)
      machine.restore(before)
    }
  })

  test('#DF has its own level, even from ring 3', () => {
    const { cpu } = flat()
    raise(cpu, { kind: 'hardwareException', vector: 8 })
    expect(config(cpu) & 3n).toBe(3n)
    expect(cpu.rsp).toBe(stackTop(0, 3) - 64n)
    expect(cpu.rip).toBe(ENTRY_PAGE)
    expect(readFrame(cpu)).toMatchObject({ stackLevel: 0, rflags: 0x1_0202n, nested: false, vector: 8 })
  })

  test('a leftover current stack level means nothing in ring 3: the frame says 0', () => {
    const { cpu } = flat()
    setLevel(cpu, 2)
    raise(cpu, UD)
    expect(readFrame(cpu).stackLevel).toBe(0)
    expect(config(cpu) & 3n).toBe(0n)
  })

  test('A11: in ring 0 the stack changes only for a level above the current one', () => {
    for (const current of [0, 1, 2, 3]) {
      for (const wanted of [0, 1, 2, 3]) {
        const { cpu } = flat('host')
        setLevel(cpu, current)
        cpu.rsp = stackTop(0, current) - 0x100n
        writeMsr(cpu, IA32_FRED_STKLVLS, BigInt(wanted) << 12n)
        raise(cpu, UD)
        expect(Number(config(cpu) & 3n)).toBe(Math.max(current, wanted))
        expect(cpu.rsp).toBe(wanted > current ? stackTop(0, wanted) - 64n : stackTop(0, current) - 0x140n)
        expect(readFrame(cpu).stackLevel).toBe(current)
      }
    }
  })

  test('A11: interrupts take theirs from IA32_FRED_CONFIG[10:9], whatever their vector', () => {
    for (const vector of [1, 2, 8, 0x20, 0xff]) {
      const { cpu } = flat('host')
      writeMsr(cpu, IA32_FRED_CONFIG, config(cpu) | (2n << 9n))
      raise(cpu, { kind: 'externalInterrupt', vector })
      expect(config(cpu) & 3n).toBe(2n)
    }
  })

  test('INT3 has the level of its vector, INT 3 has none; likewise INTO and INT 4, INT1 and INT 1', () => {
    const pairs: [RaisedEvent, number][] = [
      [{ kind: 'int3' }, 3],
      [{ kind: 'into' }, 4],
      [{ kind: 'int1' }, 1],
    ]
    for (const [exception, vector] of pairs) {
      for (const [event, level] of [
        [exception, 2n] as const,
        [{ kind: 'softwareInterrupt', vector } as const, 0n] as const,
      ]) {
        const { cpu } = flat('host')
        writeMsr(cpu, IA32_FRED_STKLVLS, 2n << BigInt(2 * vector))
        raise(cpu, event)
        expect(config(cpu) & 3n, `${event.kind} ${vector}`).toBe(level)
      }
    }
  })

  test('vectors 16 to 31 have theirs in the upper half of IA32_FRED_STKLVLS', () => {
    for (const vector of [16, 18, 21, 31]) {
      const { cpu } = flat('host')
      writeMsr(cpu, IA32_FRED_STKLVLS, 1n << BigInt(2 * vector))
      raise(cpu, { kind: 'hardwareException', vector })
      expect(config(cpu) & 3n).toBe(1n)
    }
  })

  test('SYSCALL and SYSENTER have level 0, though vectors 1 and 2 have one', () => {
    for (const kind of ['syscall', 'sysenter'] as const) {
      const { cpu } = flat('host')
      raise(cpu, { kind })
      expect(config(cpu) & 3n).toBe(0n)
    }
  })

  test('a switch is announced with its level, a delivery on the same stack is not', () => {
    const { machine, cpu } = flat()
    const switches: string[] = []
    machine.trace.on('stack-switch', ({ from, to, why }) => void switches.push(`${from} ${to} ${why}`))
    const from = cpu.rsp
    raise(cpu, UD)
    raise(cpu, UD)
    expect(switches).toEqual([`${from} ${stackTop(0, 0)} SL0`])
  })
})

describe('A13: alignment and red zone', () => {
  test('on the same stack the frame goes below RSP, aligned down to 64 bytes', () => {
    for (const odd of [0n, 1n, 8n, 63n]) {
      const { cpu } = flat('host')
      cpu.rsp = stackTop(0, 0) - 0x200n + odd
      raise(cpu, UD)
      expect(cpu.rsp).toBe(stackTop(0, 0) - 0x240n)
      expect(readFrame(cpu).rsp).toBe(stackTop(0, 0) - 0x200n + odd)
    }
  })

  test('IA32_FRED_CONFIG[8:6] keeps so many times 64 bytes below RSP free, on the same stack only', () => {
    for (let units = 0n; units < 8n; units++) {
      const { cpu } = flat('guest')
      writeMsr(cpu, IA32_FRED_CONFIG, config(cpu) | (units << 6n))
      raise(cpu, UD)
      expect(cpu.rsp).toBe(stackTop(0, 0) - 64n)
      cpu.rsp -= 8n
      raise(cpu, UD)
      expect(cpu.rsp).toBe(stackTop(0, 0) - 128n - 64n * units - 64n)
    }
  })
})

describe('blocking', () => {
  test('STI blocking is recorded and ends; MOV SS blocking ends unrecorded; a halted CPU wakes', () => {
    const { cpu } = flat()
    cpu.words[STATUS] = BLOCKED_BY_STI | HALTED
    raise(cpu, { kind: 'nmi' })
    expect(readFrame(cpu).stiBlocking).toBe(true)
    expect(cpu.words[STATUS]).toBe(BLOCKED_BY_NMI)
    cpu.words[STATUS] = BLOCKED_BY_MOV_SS
    raise(cpu, UD)
    expect(readFrame(cpu).stiBlocking).toBe(false)
    expect(cpu.words[STATUS]).toBe(0)
  })

  test('an NMI blocks NMIs; INT 2 does not (F1)', () => {
    const { cpu } = flat()
    raise(cpu, { kind: 'softwareInterrupt', vector: 2 })
    expect(readFrame(cpu)).toMatchObject({ type: 4, vector: 2, nmi: false })
    expect(cpu.words[STATUS]).toBe(0)
    raise(cpu, { kind: 'nmi' })
    expect(cpu.words[STATUS]).toBe(BLOCKED_BY_NMI)
  })
})
