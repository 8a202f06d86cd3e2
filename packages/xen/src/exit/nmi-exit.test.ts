import { BLOCKED_BY_NMI, pendInterrupt, pendNmi, STATUS, type TraceEntry } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { delivered, enter, runTo, xenMachine } from '../../test/xen-machine.js'
import { perCpuAddress } from '../layout/per-cpu.js'
import { raiseSoftirq } from './softirq.js'

const dispatched = (entries: readonly TraceEntry[]): string[] =>
  entries.flatMap((entry) => (entry.type === 'dispatch' ? [entry.routine] : []))

describe.each([
  ['idt', {}],
  ['idt', { ist: false }],
  ['fred', {}],
  ['fred', { revision: 'upstream' }],
] as const)('the way back to a guest under %s with %j', (delivery, options) => {
  const pending = 4
  const inGuest = () => {
    const xen = xenMachine('panther-lake', { delivery, options })
    enter(xen, 'guest', 'nop\nnop\nback: nop')
    return xen
  }
  const waiting = (xen: ReturnType<typeof inGuest>): number =>
    Number(xen.machine.space(0n).read64(perCpuAddress(0, 'softirq_pending')) & 0xffff_ffffn)

  it('F19: an NMI goes straight back, and what it queued is done a moment later by an interrupt to itself', () => {
    const xen = inGuest()
    raiseSoftirq(xen.cpu, pending)
    pendNmi(xen.cpu)
    const first = runTo(xen, xen.label('guest'))
    expect(delivered(first)).toEqual(['NMI'])
    expect(dispatched(first).at(-1)).toBe('send_IPI_self')
    expect(dispatched(first)).not.toContain('do_softirq')
    expect(xen.cpu.cpl).toBe(3)
    expect(xen.cpu.words[STATUS]! & BLOCKED_BY_NMI).toBe(0)
    expect(waiting(xen)).toBe(pending)
    const then = runTo(xen, xen.label('guest') + 1n)
    expect(delivered(then)).toEqual(['interrupt 0xfc'])
    expect(dispatched(then)).toContain('do_softirq')
    expect(waiting(xen)).toBe(0)
  })

  it('without anything queued an NMI sends no interrupt', () => {
    const xen = inGuest()
    pendNmi(xen.cpu)
    const entries = runTo(xen, xen.label('guest') + 1n)
    expect(delivered(entries)).toEqual(['NMI'])
    expect(dispatched(entries)).not.toContain('send_IPI_self')
  })

  it('any other event does what is queued before it returns, with interrupts on', () => {
    const xen = inGuest()
    raiseSoftirq(xen.cpu, pending)
    pendInterrupt(xen.cpu, 0x40)
    runTo(xen, xen.label('do_softirq.c'))
    pendInterrupt(xen.cpu, 0x41)
    const entries = runTo(xen, xen.label('guest') + 1n)
    expect(delivered(entries)).toEqual(['interrupt 0x41'])
    expect(waiting(xen)).toBe(0)
  })

  it('softirqs are looked for again after they were done', () => {
    const xen = inGuest()
    raiseSoftirq(xen.cpu, pending)
    pendInterrupt(xen.cpu, 0x40)
    runTo(xen, xen.label('do_softirq.c'))
    xen.machine.step()
    raiseSoftirq(xen.cpu, pending)
    const entries = runTo(xen, xen.label('guest') + 1n)
    expect(dispatched(entries).filter((name) => name === 'do_softirq')).toHaveLength(1)
    expect(waiting(xen)).toBe(0)
  })

  it('X7: the NMI’s own way out can be interrupted by a second one only after it', () => {
    const xen = inGuest()
    pendNmi(xen.cpu)
    xen.machine.step()
    pendNmi(xen.cpu)
    const entries = runTo(xen, xen.label('guest') + 1n)
    expect(entries.filter(({ type }) => type === 'event' || type === 'return').map(({ type }) => type)).toEqual([
      'return',
      'event',
      'return',
    ])
  })
})
