import { type Cpu, CR2, createMachine, type Machine, type RaisedEvent, raise, SS, writeMsr } from '@trapframe/core'
import { toyMechanism } from '@trapframe/core/testing'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { ENTRY_PAGE, HOST_CODE, HOST_DATA, HOST_SS, PAGE, RING0_ENTRY, stackTop } from './flat/memory.js'
import { readFrame } from './frame/frame.js'
import { FRAME_BYTES } from './frame/layout.js'
import { IA32_FRED_RSP0 } from './msrs.js'
import { fred } from './plugin.js'

/**
 * Public failures of software on FRED, each in the smallest state that shows it. F1 to F4 are in `vm-exit.test.ts`, F5 and
 * F8 in `delivery/nested.test.ts`; others stand beside the code that they are about, by their numbers.
 */

function flat(site: 'guest' | 'host'): { machine: Machine; cpu: Cpu } {
  const machine = createMachine({ cpu: 'panther-lake', plugins: [fred(), isa()] })
  machine.boot('flat-fred').sites[site]!.enter(machine.cpu)
  return { machine, cpu: machine.cpu }
}

const PF = (address: bigint): RaisedEvent => ({
  kind: 'hardwareException',
  vector: 14,
  errorCode: 0,
  eventData: address,
})

/** Steps until the CPU shuts down. Returns the events that were delivered on the way. */
function runToShutdown(machine: Machine): string[] {
  const events: string[] = []
  machine.trace.on('event', ({ event }) => void events.push(event))
  for (let n = 0; n < 1000 && !machine.cpu.isShutdown; n++) machine.step()
  expect(machine.cpu.isShutdown).toBe(true)
  return events
}

describe('returns and stack pointers', () => {
  test('F4: on a CPU without FRED a hand-made return by ERETS is #UD', () => {
    const machine = createMachine({ cpu: 'skylake', plugins: [fred(), isa(), toyMechanism({ entry: HOST_DATA })] })
    const events: string[] = []
    machine.trace.on('event', ({ event }) => void events.push(event))
    const space = machine.space(0n)
    space.map(HOST_CODE, 5)
    space.map(HOST_DATA, 1)
    space.write(HOST_CODE, assemble('erets', { origin: HOST_CODE }).bytes)
    machine.cpu.rip = HOST_CODE
    machine.cpu.rsp = HOST_DATA + 0x800n
    machine.step()
    expect(events).toEqual(['#UD'])
  })

  test('F6: a switch that forgets IA32_FRED_RSP0 leaves the other context’s stack for the next ring 3 event', () => {
    const { cpu } = flat('guest')
    const others = stackTop(0, 3)
    writeMsr(cpu, IA32_FRED_RSP0, others)
    raise(cpu, { kind: 'externalInterrupt', vector: 0x30 })
    expect(cpu.rsp).toBe(others - BigInt(FRAME_BYTES))
  })

  test('F7: an event taken with a null SS cannot return once SS is loaded: ERETS is #GP(0)', () => {
    const { machine, cpu } = flat('host')
    const kernelDataSegment = cpu.segment(SS)
    cpu.setSegment(SS, { selector: 0, base: 0n, limit: 0, access: 0x10000 })
    raise(cpu, { kind: 'externalInterrupt', vector: 0x30 })
    cpu.setSegment(SS, kernelDataSegment)
    machine.step()
    expect(readFrame(cpu)).toMatchObject({ vector: 13, errorCode: 0, rip: RING0_ENTRY, ss: HOST_SS })
  })
})

describe('entry points and what they are told', () => {
  test('F9: every type and vector that there is arrives with its own type and vector', () => {
    const { machine } = flat('host')
    const ready = machine.snapshot()
    const arrives = (event: RaisedEvent, type: number, vector: number) => {
      machine.restore(ready)
      raise(machine.cpu, event)
      expect(readFrame(machine.cpu)).toMatchObject({ type, vector })
    }
    for (let vector = 0; vector < 256; vector++) {
      arrives({ kind: 'externalInterrupt', vector }, 0, vector)
      arrives({ kind: 'softwareInterrupt', vector }, 4, vector)
      if (vector < 32) arrives({ kind: 'hardwareException', vector }, 3, vector)
    }
    arrives({ kind: 'nmi' }, 2, 2)
    arrives({ kind: 'int1' }, 5, 1)
    arrives({ kind: 'int3' }, 6, 3)
    arrives({ kind: 'into' }, 6, 4)
    arrives({ kind: 'syscall' }, 7, 1)
    arrives({ kind: 'sysenter' }, 7, 2)
  })

  test('F13: the address of a #PF stays in its frame when another #PF has changed CR2', () => {
    const { cpu } = flat('guest')
    raise(cpu, PF(0x1111n))
    const first = cpu.rsp
    raise(cpu, PF(0x2222n))
    expect(cpu.get64(CR2)).toBe(0x2222n)
    expect(readFrame(cpu).eventData).toBe(0x2222n)
    cpu.rsp = first
    expect(readFrame(cpu).eventData).toBe(0x1111n)
  })

  test('F10: an entry page that is gone, as after memory was replaced: every event is another #PF, until shutdown', () => {
    const { machine, cpu } = flat('guest')
    cpu.space.unmap(ENTRY_PAGE)
    raise(cpu, { kind: 'nmi' })
    expect(cpu.rip).toBe(ENTRY_PAGE)
    expect(new Set(runToShutdown(machine))).toEqual(new Set(['#PF', '#DF']))
  })

  test('F18: SWAPGS in a handler of #UD is #UD itself, down to the guard page, and on SL3 again', () => {
    const { machine, cpu } = flat('host')
    cpu.space.write(RING0_ENTRY, assemble('swapgs', { origin: RING0_ENTRY }).bytes)
    raise(cpu, { kind: 'hardwareException', vector: 6 })
    const events = runToShutdown(machine)
    expect(events.indexOf('#DF')).toBeGreaterThan(Number(PAGE) / FRAME_BYTES / 2)
    expect(events.filter((event) => event === '#DF')).toHaveLength(1)
    expect(new Set(events)).toEqual(new Set(['#UD', '#DF']))
  })

  test('F27: what lies at the top of a level’s stack is where its frame goes', () => {
    const { cpu } = flat('host')
    const top = stackTop(0, 2)
    cpu.space.write64(top - 8n, 0x1234_5678n)
    raise(cpu, { kind: 'nmi' })
    expect(cpu.rsp).toBe(top - BigInt(FRAME_BYTES))
    expect(cpu.space.read64(top - 8n)).toBe(0n)
  })
})
