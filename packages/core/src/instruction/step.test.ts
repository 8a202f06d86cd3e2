import { describe, expect, test } from 'vitest'
import { pendDebugTrap, pendInterrupt, pendMachineCheck, pendNmi } from '../event/pending.js'
import { createMachine, type Machine } from '../machine/machine.js'
import { pageFlags } from '../memory/access.js'
import { DR, DR7, RFLAGS, STATUS } from '../state/registers.js'
import { IF, RF, TF } from '../state/rflags.js'
import { BLOCKED_BY_MOV_SS, BLOCKED_BY_NMI, BLOCKED_BY_STI } from '../state/status.js'
import { toyIsa } from '../testing/toy-isa.js'
import { toyMechanism } from '../testing/toy-mechanism.js'
import { run } from './step.js'

/** A machine with `code` at 1000h, an HLT at the handler 2000h, and a list of what is delivered. */
function machineWith(...code: number[]): { machine: Machine; events: string[] } {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })
  const space = machine.space(0n)
  space.map(0x1000n, pageFlags('wx'))
  space.map(0x2000n, pageFlags('wx'), 2)
  space.write(0x1000n, Uint8Array.from(code))
  space.write(0x2000n, Uint8Array.of(0xf4))
  machine.cpu.rip = 0x1000n
  machine.cpu.rsp = 0x4000n
  const events: string[] = []
  machine.trace.on('event', ({ event, rip }) => void events.push(`${event} to ${rip.toString(16)}`))
  return { machine, events }
}

const pushedRip = (machine: Machine): bigint => machine.space(0n).read64(machine.cpu.rsp)
const pushedRflags = (machine: Machine): number => Number(machine.space(0n).read64(machine.cpu.rsp + 8n))

describe('priorities at an instruction boundary (SDM 3A table 6-2)', () => {
  test('machine check, debug trap, NMI, external interrupt, then the instruction', () => {
    const { machine } = machineWith(0x90)
    const { cpu } = machine
    machine.space(0n).write(0x2000n, Uint8Array.of(0x90))
    const taken: string[] = []
    machine.trace.on('event', ({ event }) => {
      taken.push(event)
      cpu.words[RFLAGS] = cpu.words[RFLAGS]! | IF
    })
    pendInterrupt(cpu, 0x20)
    pendInterrupt(cpu, 0xf0)
    pendNmi(cpu)
    pendDebugTrap(cpu, 1)
    pendMachineCheck(cpu)
    machine.step()
    // Delivery of the machine check drops the pending debug trap with the instruction that caused it.
    pendDebugTrap(cpu, 1)
    for (let i = 0; i < 4; i++) machine.step()
    expect(taken).toEqual(['#MC', '#DB', 'NMI', 'interrupt 0xf0', 'interrupt 0x20'])
    expect(cpu.words[STATUS]).toBe(BLOCKED_BY_NMI)
  })

  test('an NMI waits while NMIs are blocked, and a second one finds the latch full', () => {
    const { machine, events } = machineWith(0x90, 0x90)
    machine.cpu.words[STATUS] = BLOCKED_BY_NMI
    pendNmi(machine.cpu)
    pendNmi(machine.cpu)
    machine.step()
    expect(events).toEqual([])
    machine.cpu.words[STATUS] = machine.cpu.words[STATUS]! & ~BLOCKED_BY_NMI
    machine.step()
    machine.step()
    expect(events).toEqual(['NMI to 2000'])
  })

  test.each([
    ['STI blocking holds a maskable interrupt for one instruction', BLOCKED_BY_STI, pendInterrupt, 'interrupt 0x21', 1],
    ['STI blocking does not hold an NMI', BLOCKED_BY_STI, pendNmi, 'NMI', 0],
    ['MOV SS blocking holds an NMI for one instruction', BLOCKED_BY_MOV_SS, pendNmi, 'NMI', 1],
    ['MOV SS blocking holds a maskable interrupt', BLOCKED_BY_MOV_SS, pendInterrupt, 'interrupt 0x21', 1],
  ] as const)('%s', (_, blocking, pend, event, instructions) => {
    const { machine, events } = machineWith(0x90, 0x90)
    machine.cpu.words[RFLAGS] = IF | 2
    machine.cpu.words[STATUS] = blocking
    pend(machine.cpu, 0x21)
    for (let i = 0; i < instructions; i++) expect(machine.step()).toBe('instruction')
    expect(machine.step()).toBe('event')
    expect(events).toEqual([`${event} to 2000`])
    expect(pushedRip(machine)).toBe(0x1000n + BigInt(instructions))
  })

  test('an external interrupt waits for RFLAGS.IF', () => {
    const { machine, events } = machineWith(0x90, 0x90)
    pendInterrupt(machine.cpu, 0x21)
    machine.step()
    expect(events).toEqual([])
  })
})

describe('traps and breakpoints', () => {
  test('TF: a single-step #DB after the instruction, with the next RIP and TF in the frame', () => {
    const { machine, events } = machineWith(0x90, 0x90)
    machine.cpu.words[RFLAGS] = TF | 2
    expect(machine.step()).toBe('instruction')
    expect(machine.step()).toBe('event')
    expect(events).toEqual(['#DB to 2000'])
    expect(pushedRip(machine)).toBe(0x1001n)
    expect(pushedRflags(machine)).toBe(TF | 2)
  })

  test('INT n with TF = 1 is no single-step trap: the handler runs first', () => {
    const { machine, events } = machineWith(0xcd, 0x20)
    machine.cpu.words[RFLAGS] = TF | 2
    machine.step()
    machine.step()
    expect(events).toEqual(['INT 0x20 to 2000'])
    expect(machine.cpu.halted).toBe(true)
  })

  test('an instruction breakpoint is a fault before the instruction, and RF holds it back once', () => {
    const { machine, events } = machineWith(0x40, 0x90)
    const { cpu } = machine
    cpu.set64(DR, 0x1000n)
    cpu.setControl(DR7, 0x401n)
    machine.step()
    expect(events).toEqual(['#DB to 2000'])
    expect(cpu.gpr(0)).toBe(0n)
    cpu.rip = 0x1000n
    cpu.words[RFLAGS] = RF | 2
    machine.step()
    expect(cpu.gpr(0)).toBe(1n)
    expect(cpu.words[RFLAGS]).toBe(2)
  })

  test('a fault saves RF = 1, INT n saves RF = 0', () => {
    const { machine } = machineWith(0x0f)
    machine.step()
    expect(pushedRflags(machine) & RF).toBe(RF)
    const other = machineWith(0xcd, 0x20).machine
    other.cpu.words[RFLAGS] = RF | 2
    other.step()
    expect(pushedRflags(other) & RF).toBe(0)
  })
})

describe('fetching', () => {
  test('from a non-canonical address: #GP(0)', () => {
    const { machine, events } = machineWith()
    machine.cpu.rip = 0x8000_0000_0000n
    machine.step()
    expect(events).toEqual(['#GP to 2000'])
  })

  test('an instruction that runs into an absent page: #PF with the address of that page', () => {
    const { machine, events } = machineWith()
    machine.space(0n).unmap(0x2000n)
    machine.space(0n).map(0x6000n, pageFlags('wx'), 1)
    machine.space(0n).write(0x1fffn, Uint8Array.of(0xcd))
    machine.cpu.rip = 0x1fffn
    machine.step()
    expect(events).toEqual(['#PF to 2000'])
    expect(machine.cpu.quads[53]).toBe(0x2000n)
  })

  test('#PF reports the address that was fetched from, not the instruction before; nobody listens', () => {
    const machine = createMachine({ cpu: 'skylake', plugins: [toyIsa(), toyMechanism({ entry: 0x2000n })] })
    machine.space(0n).map(0x3000n, pageFlags('wx'))
    machine.space(0n).write(0x3fffn, Uint8Array.of(0x90))
    machine.cpu.rip = 0x3fffn
    machine.cpu.rsp = 0x3800n
    expect(run(machine.cpu, 2)).toBe(2)
    expect(pushedRip(machine)).toBe(0x4000n)
  })

  test('an instruction across two mapped pages executes', () => {
    const { machine } = machineWith()
    machine.space(0n).write(0x1fffn, Uint8Array.of(0xcd, 0xf4))
    machine.cpu.rip = 0x1fffn
    machine.step()
    expect(machine.cpu.rip).toBe(0x2000n)
    expect(pushedRip(machine)).toBe(0x2001n)
  })
})

test('a halted CPU is idle until an event that is not blocked wakes it', () => {
  const { machine, events } = machineWith(0xf4, 0x90)
  expect(run(machine.cpu, 10)).toBe(1)
  pendInterrupt(machine.cpu, 0x30)
  expect(machine.step()).toBe('idle')
  machine.cpu.words[RFLAGS] = IF | 2
  expect(machine.step()).toBe('event')
  expect(events).toEqual(['interrupt 0x30 to 2000'])
  expect(pushedRip(machine)).toBe(0x1001n)
})

test('a decoded instruction without semantics stops the run with its name, address and text', () => {
  const machine = createMachine({ cpu: 'skylake', plugins: [toyIsa()] })
  machine.space(0n).map(0x1000n, pageFlags('x'))
  machine.space(0n).write(0x1000n, Uint8Array.of(0xcf))
  machine.cpu.rip = 0x1000n
  expect(() => machine.step()).toThrowError('instruction "toyret" at 0x1000 is not modelled')
})
