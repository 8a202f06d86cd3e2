import {
  deliverEvent,
  externalInterrupt,
  type Fault,
  faultEvent,
  gp,
  NMI,
  nmi,
  PAGE_WRITABLE,
  pendInterrupt,
  pendNmi,
} from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import {
  CODE,
  GUEST_TOP,
  HANDLER,
  NOP,
  nmiTop,
  primaryTop,
  RETURN,
  STORE,
  SWITCH,
  SYSRET,
  toyMachine,
} from '../../test/toy.js'
import { checkInvariants } from '../invariant/check.js'
import { framesForgotten, liveFrames } from './frame.js'

const RAX = 0
const fault = (raised: Fault) => faultEvent(raised, false)

describe('ghost state: the table of live frames', () => {
  it('delivered: takes address and size from the stores of the delivery, and what it interrupted', () => {
    const { cpu } = toyMachine()
    deliverEvent(cpu, externalInterrupt(0x21))
    expect(liveFrames(cpu)).toEqual([
      {
        address: primaryTop() - 24n,
        bytes: 24,
        event: { type: 0, vector: 0x21, nested: false },
        interrupted: { rip: CODE, rsp: GUEST_TOP, cpl: 3, stackLevel: 0 },
        handler: HANDLER,
        parent: null,
        running: true,
        left: false,
        clobbered: false,
      },
    ])
  })

  it('delivered: a nested event names the frame whose handler it interrupted', () => {
    const { cpu } = toyMachine()
    deliverEvent(cpu, externalInterrupt(0x21))
    deliverEvent(cpu, nmi())
    deliverEvent(cpu, fault(gp(0)))
    expect(liveFrames(cpu).map(({ event, parent, running }) => [event.vector, parent, running])).toEqual([
      [0x21, null, false],
      [2, 0, false],
      [13, 1, true],
    ])
  })

  it('returned: the frame that RSP stood in is consumed, the others stay', () => {
    const { machine, cpu, write } = toyMachine()
    deliverEvent(cpu, externalInterrupt(0x21))
    deliverEvent(cpu, nmi())
    write(HANDLER, RETURN)
    machine.step()
    expect(cpu.rsp).toBe(primaryTop() - 24n)
    expect(liveFrames(cpu).map(({ event, running }) => [event.vector, running])).toEqual([[0x21, true]])
    machine.step()
    expect(cpu.cpl).toBe(3)
    expect(liveFrames(cpu)).toEqual([])
  })

  it('returned: a frame that software moved is known by the stack that it interrupted', () => {
    const { machine, cpu, write } = toyMachine()
    deliverEvent(cpu, nmi())
    const copy = primaryTop() - 24n
    machine.space(0n).write(copy, machine.space(0n).read(cpu.rsp, 24))
    cpu.setGpr(RAX, copy)
    write(HANDLER, SWITCH, RETURN)
    machine.step()
    machine.step()
    expect(cpu.rsp).toBe(GUEST_TOP)
    expect(liveFrames(cpu)).toEqual([])
  })

  it('returned: SYSRET pops nothing, and what led to it has ended with it, even with another RSP', () => {
    const { machine, cpu, write } = toyMachine()
    deliverEvent(cpu, externalInterrupt(0x21))
    deliverEvent(cpu, fault(gp(0)))
    write(HANDLER, SYSRET)
    cpu.setGpr(1, CODE)
    cpu.setGpr(2, GUEST_TOP - 64n)
    machine.step()
    expect(liveFrames(cpu)).toEqual([])
  })

  it('holds 16 frames, forgets the oldest beyond that, and says so', () => {
    const { cpu } = toyMachine()
    for (let vector = 0x20; vector < 0x30; vector++) deliverEvent(cpu, externalInterrupt(vector))
    expect(framesForgotten(cpu)).toBe(false)
    expect(liveFrames(cpu)).toHaveLength(16)
    deliverEvent(cpu, externalInterrupt(0x30))
    expect(framesForgotten(cpu)).toBe(true)
    const frames = liveFrames(cpu)
    expect(frames).toHaveLength(16)
    expect(frames[0]).toMatchObject({ event: { vector: 0x21 }, parent: null })
    expect(frames[15]).toMatchObject({ event: { vector: 0x30 }, parent: 14, running: true })
  })

  it('lies in the flat state: a restored snapshot has the frames that it had, and equal states have equal hashes', () => {
    const { machine, boot, cpu, write } = toyMachine()
    deliverEvent(cpu, externalInterrupt(0x21))
    checkInvariants(machine, boot)
    const snapshot = machine.snapshot()
    const [before, hash] = [liveFrames(cpu), machine.hash()]
    write(HANDLER, NOP, RETURN)
    pendNmi(cpu)
    for (let i = 0; i < 5; i++) machine.step()
    expect(liveFrames(cpu)).not.toEqual(before)
    machine.restore(snapshot)
    expect(liveFrames(cpu)).toEqual(before)
    expect(machine.hash()).toBe(hash)
    machine.step()
    checkInvariants(machine, boot)
    const after = machine.hash()
    machine.restore(snapshot)
    machine.step()
    checkInvariants(machine, boot)
    expect(machine.hash()).toBe(after)
  })

  it('a step back leaves no history: interrupt and return give back the state before, byte for byte', () => {
    const { machine, boot, cpu, write } = toyMachine()
    write(HANDLER, RETURN)
    deliverEvent(cpu, externalInterrupt(0x21))
    machine.step()
    checkInvariants(machine, boot)
    const snapshot = machine.snapshot()
    deliverEvent(cpu, externalInterrupt(0x21))
    checkInvariants(machine, boot)
    machine.step()
    checkInvariants(machine, boot)
    expect(machine.equals(snapshot)).toBe(true)
  })

  it('keeps every CPU apart', () => {
    const { machine } = toyMachine({ cpus: 2 })
    deliverEvent(machine.cpus[1]!, nmi())
    expect(liveFrames(machine.cpus[0]!)).toEqual([])
    expect(liveFrames(machine.cpus[1]!)).toMatchObject([{ address: nmiTop(1) - 24n, event: { type: NMI } }])
  })
})

describe('no-clobber', () => {
  const violations = ({ machine, boot }: ReturnType<typeof toyMachine>) =>
    checkInvariants(machine, boot, ['no-clobber'])

  it('A1: an NMI stack that is always entered at its top loses the outer frame to a second NMI', () => {
    const toy = toyMachine()
    deliverEvent(toy.cpu, nmi())
    expect(violations(toy)).toEqual([])
    toy.cpu.rip += 3n
    deliverEvent(toy.cpu, nmi())
    expect(violations(toy)).toEqual([
      {
        invariant: 'no-clobber',
        message: 'NMI frame at 13fe8 overwritten by the frame of NMI at 2003',
        cpu: 0,
      },
    ])
    expect(liveFrames(toy.cpu).map(({ clobbered }) => clobbered)).toEqual([true, false])
    expect(violations(toy)).toEqual([])
  })

  it('A11: on the current stack a second NMI goes below the first one', () => {
    const toy = toyMachine({ ownNmiStack: false })
    deliverEvent(toy.cpu, nmi())
    deliverEvent(toy.cpu, nmi())
    expect(violations(toy)).toEqual([])
    expect(liveFrames(toy.cpu)).toHaveLength(2)
  })

  it('the handler may edit its own frame, and repair the frame of a handler whose exception it handles', () => {
    const toy = toyMachine()
    const { machine, cpu, write } = toy
    deliverEvent(cpu, externalInterrupt(0x21))
    cpu.setGpr(RAX, cpu.rsp + 8n)
    write(HANDLER, STORE)
    machine.step()
    deliverEvent(cpu, fault(gp(0)))
    machine.step()
    expect(violations(toy)).toEqual([])
  })

  it('the handler of an NMI may not write to the frame that it interrupted', () => {
    const toy = toyMachine()
    const { machine, cpu, write } = toy
    deliverEvent(cpu, externalInterrupt(0x21))
    cpu.setGpr(RAX, cpu.rsp + 8n)
    deliverEvent(cpu, nmi())
    write(HANDLER, STORE)
    machine.step()
    expect(violations(toy)).toMatchObject([
      { message: 'interrupt 0x21 frame at 10fe8 overwritten by software at 2000' },
    ])
  })

  it('nor may another CPU', () => {
    const toy = toyMachine({ cpus: 2 })
    const [first, second] = [toy.machine.cpus[0]!, toy.machine.cpus[1]!]
    deliverEvent(first, nmi())
    deliverEvent(second, nmi())
    second.setGpr(RAX, first.rsp)
    toy.write(HANDLER, STORE)
    toy.machine.step(1)
    expect(violations(toy)).toMatchObject([
      { cpu: 0, message: 'NMI frame at 13fe8 overwritten CPU 1, by software at 2000' },
    ])
  })

  it('bytes that the handler has popped are nobody’s any more', () => {
    const toy = toyMachine()
    deliverEvent(toy.cpu, externalInterrupt(0x21))
    toy.cpu.rsp += 8n
    deliverEvent(toy.cpu, fault(gp(0)))
    expect(violations(toy)).toEqual([])
  })

  it('a frame whose handler went on with another stack may be overwritten, unless the handler comes back', () => {
    const toy = toyMachine()
    const { machine, cpu, write } = toy
    deliverEvent(cpu, nmi())
    const frame = cpu.rsp
    cpu.setGpr(RAX, primaryTop() - 64n)
    write(HANDLER, SWITCH, NOP)
    machine.step()
    machine.step()
    expect(liveFrames(cpu)).toMatchObject([{ left: true }])
    deliverEvent(cpu, nmi())
    expect(violations(toy)).toEqual([])
    write(HANDLER, RETURN)
    machine.step()
    cpu.setGpr(RAX, frame)
    cpu.rip = HANDLER
    write(HANDLER, SWITCH, NOP)
    machine.step()
    machine.step()
    expect(violations(toy)).toMatchObject([
      { message: expect.stringMatching(/^NMI frame at 13fe8 overwritten by the frame of NMI/) },
    ])
  })

  it('what a delivery wrote before it failed counts too', () => {
    const toy = toyMachine({ ownNmiStack: false })
    const { machine, cpu } = toy
    machine.space(0n).unmap(primaryTop() - 0x1000n)
    machine.space(0n).map(primaryTop() - 0x2000n, 0)
    machine.space(0n).map(primaryTop() - 0x1000n, PAGE_WRITABLE)
    cpu.cpl = 0
    cpu.rsp = primaryTop() - 0x1000n + 24n
    deliverEvent(cpu, externalInterrupt(0x21))
    cpu.rsp = primaryTop()
    deliverEvent(cpu, fault(gp(0)))
    checkInvariants(machine, toy.boot)
    // The upper two quadwords of the next frame hit the first one, its lowest the page below, which is read-only.
    cpu.rsp = primaryTop() - 0x1000n + 16n
    expect(() => deliverEvent(cpu, nmi())).not.toThrow()
    expect(cpu.isShutdown).toBe(true)
    expect(violations(toy)).toMatchObject([
      { message: 'interrupt 0x21 frame at 10000 overwritten by the frame of NMI at 2000' },
    ])
  })
})

describe('pending events', () => {
  it('an interrupt at a boundary is a step of its own, and ends with its return', () => {
    const { machine, cpu, write } = toyMachine()
    write(HANDLER, RETURN)
    cpu.rflags = 0x202n
    pendInterrupt(cpu, 0x21)
    expect(machine.step()).toBe('event')
    expect(liveFrames(cpu)).toHaveLength(1)
    expect(machine.step()).toBe('instruction')
    expect(liveFrames(cpu)).toEqual([])
  })
})
