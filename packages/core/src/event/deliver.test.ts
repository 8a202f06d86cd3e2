import { describe, expect, test } from 'vitest'
import { createMachine, type Machine } from '../machine/machine.js'
import { pageFlags } from '../memory/access.js'
import { CR2, DR6, STATUS } from '../state/registers.js'
import { BLOCKED_BY_MOV_SS, BLOCKED_BY_NMI, BLOCKED_BY_STI, HALTED } from '../state/status.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import type { TraceEntry } from '../trace/trace.js'
import { deliverEvent } from './deliver.js'
import {
  type CpuEvent,
  externalInterrupt,
  HARDWARE_EXCEPTION,
  instructionEvent,
  nmi,
  SOFTWARE_INTERRUPT,
} from './event.js'
import { db, doubleFault, type Fault, faultEvent, gp, pf, ss, ud } from './fault.js'

/** A machine whose mechanism refuses with these faults, one after the other, and then delivers. */
function refusing(...faults: Fault[]): { machine: Machine; delivered: CpuEvent[] } {
  const queue = [...faults]
  const delivered: CpuEvent[] = []
  const machine = createMachine({
    cpu: 'skylake',
    plugins: [toyIsa(), toyMechanism({ entry: 0x2000n, refuse: () => queue.shift() ?? null })],
  })
  machine.space(0n).map(0x1000n, pageFlags('wx'), 3)
  machine.cpu.rip = 0x1000n
  machine.cpu.rsp = 0x4000n
  machine.observe({ delivered: (_cpu, event) => void delivered.push(event) })
  return { machine, delivered }
}

describe('a fault met during delivery (SDM 3A 6.15, tables 6-4 and 6-5)', () => {
  const contributory = gp(0x10)
  const pageFault = pf(2, 0x5000, 0)
  test.each([
    ['contributory, then contributory', faultEvent(contributory, false), ss(0), 8],
    ['contributory, then page fault', faultEvent(contributory, false), pageFault, 14],
    ['page fault, then contributory', faultEvent(pageFault, false), contributory, 8],
    ['page fault, then page fault', faultEvent(pageFault, false), pageFault, 8],
    ['benign, then contributory', faultEvent(ud(), false), contributory, 13],
    ['contributory, then benign', faultEvent(contributory, false), ud(), 6],
    ['NMI, then page fault', nmi(), pageFault, 14],
    ['INT 13, which is no #GP, then contributory', instructionEvent(SOFTWARE_INTERRUPT, 13, 2), contributory, 13],
    ['external interrupt 14, which is no #PF, then page fault', externalInterrupt(14), pageFault, 14],
  ] as const)('%s', (_, first, fault, vector) => {
    const { machine, delivered } = refusing(fault)
    deliverEvent(machine.cpu, first)
    expect(delivered.map((event) => event.vector)).toEqual([vector])
    expect(delivered[0]!.type).toBe(HARDWARE_EXCEPTION)
    expect(delivered[0]!.nested).toBe(vector !== 8)
  })

  test('a second page fault leaves its address in CR2 although #DF is what arrives', () => {
    const { machine } = refusing(pf(2, 0x7777_0000, 0x1234))
    deliverEvent(machine.cpu, faultEvent(pf(0, 0x1000, 0), false))
    expect(machine.cpu.get64(CR2)).toBe(0x1234_7777_0000n)
  })

  test('a fault during #DF shuts the CPU down, and it stays there', () => {
    const { machine } = refusing(gp(0))
    const trace: TraceEntry[] = []
    machine.trace.record((entry) => trace.push(entry))
    deliverEvent(machine.cpu, doubleFault())
    expect(machine.cpu.isShutdown).toBe(true)
    expect(machine.step()).toBe('idle')
    expect(trace.at(-1)).toMatchObject({ type: 'shutdown', during: '#DF' })
  })

  test('benign faults can nest without end only as long as they stop: three in a row arrive as the last one', () => {
    const { machine, delivered } = refusing(ud(), ud(), ud())
    deliverEvent(machine.cpu, nmi())
    expect(delivered).toMatchObject([{ vector: 6, nested: true }])
  })

  test('INT n that cannot be delivered reports the INT instruction, not the next one', () => {
    const { machine } = refusing(gp(0x102))
    machine.space(0n).write(0x1000n, Uint8Array.of(0xcd, 0x20))
    machine.step()
    expect(machine.space(0n).read64(machine.cpu.rsp)).toBe(0x1000n)
  })
})

describe('what delivery changes besides the frame', () => {
  test('NMI blocks NMIs once it is delivered; STI and MOV SS blocking and HLT end', () => {
    const { machine } = refusing()
    machine.cpu.words[STATUS] = BLOCKED_BY_STI | BLOCKED_BY_MOV_SS | HALTED
    deliverEvent(machine.cpu, nmi())
    expect(machine.cpu.words[STATUS]).toBe(BLOCKED_BY_NMI)
  })

  test('an exception met while an NMI is delivered does not block NMIs: the NMI never arrived', () => {
    const { machine } = refusing(pf(2, 0x5000, 0))
    deliverEvent(machine.cpu, nmi())
    expect(machine.cpu.words[STATUS]).toBe(0)
  })

  test('#DB accumulates its conditions in DR6', () => {
    const { machine } = refusing()
    deliverEvent(machine.cpu, faultEvent(db(0b101), false))
    expect(machine.cpu.words[DR6]! & 0xf).toBe(0b101)
  })
})

test('an event without a mechanism is an error that says what to load', () => {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyIsa()] })
  expect(() => deliverEvent(machine.cpu, nmi())).toThrowError(/no delivery mechanism is active/)
})
