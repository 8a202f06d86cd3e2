import { BLOCKED_BY_NMI, pendNmi, STATUS } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { notingMachine } from '../../test/noting-machine.js'
import { delivered, enter, printed, runTo, type XenMachine, xenMachine } from '../../test/xen-machine.js'
import type { PvAnswer, PvEvent } from '../handlers/pv-interface.js'
import { gdtBase, stackOf } from '../layout/memory.js'
import { guestRegsOf } from '../layout/stack.js'
import { userRegsOffset } from '../layout/user-regs.js'

/** A free place in Xen's page of the GDT, for a data segment of ring 3. */
const SELECTOR = 0xe0a3
const PRESENT = 0x00cf_f300_0000_ffffn
const ABSENT = 0x00cf_7300_0000_ffffn

const describeSegment = ({ machine }: XenMachine, descriptor: bigint): void =>
  machine.space(0n).write64(gdtBase(0) + BigInt(SELECTOR & ~7), descriptor)

const frame = (name: Parameters<typeof userRegsOffset>[0]): bigint =>
  guestRegsOf(stackOf(0).linear) + BigInt(userRegsOffset(name))

const RETURN = { idt: 'iretq_guest', fred: 'eretu_guest' } as const

const machines = [
  ['idt', { shadowStacks: false, ibt: false }],
  ['idt', {}],
  ['idt', { xpti: true }],
  ['fred', { shadowStacks: false, ibt: false }],
  ['fred', {}],
  ['fred', { revision: 'upstream' }],
] as const

describe.each(machines)('P6: bad guest state on the way out, under %s with %j', (delivery, options) => {
  /** The guest enters Xen with a stack segment of its own, which is gone by the time that Xen returns. */
  function comeBackWithout(descriptor: bigint, answer?: PvAnswer) {
    const events: PvEvent[] = []
    const xen = notingMachine('panther-lake', { delivery, options }, events, answer)
    describeSegment(xen, PRESENT)
    enter(xen, 'guest', `mov eax, ${SELECTOR}\nmov ss, eax\nint 0x80\nback: nop`)
    runTo(xen, xen.label('test_all_events'))
    describeSegment(xen, descriptor)
    return { xen, events }
  }

  it('a stack segment that is not present any more is the guest’s #SS', () => {
    const { xen, events } = comeBackWithout(ABSENT)
    events.length = 0
    const entries = runTo(xen, xen.label('idle_loop'))
    expect(delivered(entries)).toEqual(['#SS'])
    expect(events).toEqual([{ kind: 'exception', vector: 12, errorCode: SELECTOR & ~3, address: 0n }])
    expect(printed(entries)[0]).toBe('d1v0 Unhandled: vec 12, #SS[e0a0]')
    expect(printed(entries)).not.toContain(`Panic on CPU 0:`)
  })

  it('a stack segment that is none any more is the guest’s #GP', () => {
    const { xen, events } = comeBackWithout(0n)
    events.length = 0
    const entries = runTo(xen, xen.label('idle_loop'))
    expect(events).toEqual([{ kind: 'exception', vector: 13, errorCode: SELECTOR & ~3, address: 0n }])
    expect(printed(entries)[0]).toBe('d1v0 Unhandled: vec 13, #GP[e0a0]')
  })

  it('the registers are the guest’s, at the instruction that it would have gone on with', () => {
    const { xen } = comeBackWithout(ABSENT)
    const rip = xen.machine.space(0n).read64(frame('rip'))
    const rsp = xen.machine.space(0n).read64(frame('rsp'))
    xen.cpu.setGpr(3, 0x1234n)
    runTo(xen, xen.label(RETURN[delivery]))
    const rbx = xen.cpu.gpr(3)
    runTo(xen, xen.label('test_all_events'), xen.cpu, 200)
    const at = (name: Parameters<typeof frame>[0]) => xen.machine.space(0n).read64(frame(name))
    expect([at('rip'), at('rsp'), at('rbx')]).toEqual([rip, rsp, rbx])
    expect(at('cs') & 0xffffn).toBe(0xe033n)
    expect(at('ss') & 0xffffn).toBe(BigInt(SELECTOR))
  })

  it('a guest that mends it goes on as if nothing had happened', () => {
    const { xen, events } = comeBackWithout(ABSENT, 'resume')
    runTo(xen, xen.label(RETURN[delivery]))
    runTo(xen, xen.label('test_all_events'))
    expect(events.at(-1)).toMatchObject({ kind: 'exception', vector: 12 })
    describeSegment(xen, PRESENT)
    const entries = runTo(xen, xen.label('guest') + 0xan, xen.cpu, 300)
    expect(printed(entries)).toEqual([])
    expect(xen.cpu.cpl).toBe(3)
  })

  it('an NMI that the guest’s frame was about is not blocked for ever', () => {
    const { xen } = comeBackWithout(ABSENT)
    describeSegment(xen, PRESENT)
    runTo(xen, xen.label('guest') + 0xan, xen.cpu, 300)
    pendNmi(xen.cpu)
    xen.machine.step()
    expect(xen.cpu.words[STATUS]! & BLOCKED_BY_NMI).not.toBe(0)
    describeSegment(xen, ABSENT)
    runTo(xen, xen.label(RETURN[delivery]))
    expect(xen.cpu.words[STATUS]! & BLOCKED_BY_NMI).not.toBe(0)
    const entries = runTo(xen, xen.label('idle_loop'))
    expect(delivered(entries)).toEqual(['#SS'])
    expect(xen.cpu.words[STATUS]! & BLOCKED_BY_NMI).toBe(0)
  })
})

describe('F11: what ERETU refuses though no guest can have caused it', () => {
  const complaints = [
    ['rflags', 0x8002n | 0x200n, 'Bad return state: csx 0xe033, rflags 0x8202, ssx 0xe02b'],
    ['cs', 0x1_0000_e033n, 'Bad return state: csx 0x10000e033, rflags 0x202, ssx 0xe02b'],
    ['cs', 0xe030n, 'Bad return state: csx 0xe030, rflags 0x202, ssx 0xe02b'],
    ['ss', 0x8_e02bn, 'Bad return state: csx 0xe033, rflags 0x202, ssx 0x8e02b'],
  ] as const

  it.each(complaints)('%s = %s stops the domain, and Xen goes on', (field, value, complaint) => {
    const xen = xenMachine('panther-lake', { delivery: 'fred' })
    enter(xen, 'guest', 'syscall\nback: nop')
    runTo(xen, xen.label('test_all_events'))
    xen.machine.space(0n).write64(frame(field), value)
    const entries = runTo(xen, null)
    expect(delivered(entries)).toEqual(['#GP'])
    expect(printed(entries).slice(0, 3)).toEqual([
      `d1v0 ${complaint}`,
      expect.stringMatching(/^domain_crash_sync called from entry.S: fault at [0-9a-f]{16} eretu_guest\+0x0\/0x/),
      'Domain 1 (vcpu#0) crashed on cpu#0:',
    ])
    expect(printed(entries).join('\n')).not.toContain('Panic')
    expect(xen.cpu.rip - xen.label('idle_loop')).toBe(2n)
  })

  it('a null selector is the guest’s to choose: its #GP(0)', () => {
    const xen = xenMachine('panther-lake', { delivery: 'fred' })
    enter(xen, 'guest', 'syscall\nback: nop')
    runTo(xen, xen.label('test_all_events'))
    xen.machine.space(0n).write64(frame('ss'), 3n)
    expect(printed(runTo(xen, null))[0]).toBe('d1v0 Unhandled: vec 13, #GP[0000]')
  })

  it('an exception there that is no fault of the return is Xen’s own', () => {
    const xen = xenMachine('panther-lake', { delivery: 'fred', options: { shadowStacks: true } })
    enter(xen, 'guest', 'syscall\nback: nop')
    runTo(xen, xen.label('eretu_guest'))
    xen.cpu.ssp -= 8n
    const entries = runTo(xen, null)
    expect(delivered(entries)).toEqual(['#CP'])
    expect(printed(entries)).toContain('FATAL TRAP: type 3, HW_EXC, vec 21, #CP[0002] IN INTERRUPT CONTEXT')
  })

  it('P6: the event data go to the guest’s frame by the RFC, and the other way in Xen’s own code, so that CR2 is lost', () => {
    for (const [revision, expected] of [
      ['rfc', gdtBase(0) + 0x20n],
      ['upstream', 0n],
    ] as const) {
      const events: PvEvent[] = []
      const xen = notingMachine('panther-lake', { delivery: 'fred', options: { revision } }, events)
      enter(xen, 'guest', 'int 0x80\nback: nop')
      runTo(xen, xen.label('test_all_events'))
      // A selector of the guest's own part of the GDT, whose page is gone.
      xen.machine.space(0n).write64(frame('ss'), (xen.machine.space(0n).read64(frame('ss')) & ~0xffffn) | 0x23n)
      xen.machine.space(0n).unmap(gdtBase(0), 1)
      events.length = 0
      runTo(xen, xen.label('idle_loop'))
      expect(events).toEqual([{ kind: 'exception', vector: 14, errorCode: 0, address: expected }])
    }
  })
})
