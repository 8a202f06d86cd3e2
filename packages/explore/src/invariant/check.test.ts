import { createMachine, definePlugin, deliverEvent, externalInterrupt, nmi } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import { GUEST_TOP, HANDLER, nmiTop, primaryTop, RETURN, toyMachine } from '../../test/toy.js'
import { liveFrames } from '../ghost/frame.js'
import { checkInvariants } from './check.js'
import { INVARIANTS, type InvariantContext } from './invariant.js'

describe('good-stack', () => {
  const violations = ({ machine, boot }: ReturnType<typeof toyMachine>) =>
    checkInvariants(machine, boot, ['good-stack'])

  it('A1: a frame on a stack of its CPU is good', () => {
    const toy = toyMachine()
    deliverEvent(toy.cpu, externalInterrupt(0x21))
    deliverEvent(toy.cpu, nmi())
    expect(violations(toy)).toEqual([])
  })

  it('X7: ring 0 with the guest’s RSP: the frame lands in guest memory, and the report names the address', () => {
    const toy = toyMachine({ ownNmiStack: false })
    toy.cpu.cpl = 0
    deliverEvent(toy.cpu, nmi())
    expect(violations(toy)).toEqual([
      { invariant: 'good-stack', message: 'NMI frame written to 80fe8, guest memory', cpu: 0 },
    ])
    expect(violations(toy)).toEqual([])
  })

  it('the stack of another CPU is none of its own', () => {
    const toy = toyMachine({ ownNmiStack: false, cpus: 2 })
    toy.cpu.cpl = 0
    toy.cpu.rsp = primaryTop(1)
    deliverEvent(toy.cpu, nmi())
    expect(violations(toy)).toMatchObject([{ message: 'NMI frame written to 20fe8, stack primary of CPU 1' }])
  })

  it('a frame that begins on a stack and ends outside is judged by where it leaves it', () => {
    const toy = toyMachine({ ownNmiStack: false })
    toy.machine.space(0n).map(primaryTop(), 1)
    toy.cpu.cpl = 0
    toy.cpu.rsp = primaryTop() + 8n
    deliverEvent(toy.cpu, nmi())
    expect(violations(toy)).toMatchObject([{ message: 'NMI frame written to 10ff0, memory of nobody' }])
  })

  it('a frame is judged even if it was consumed before the check', () => {
    const toy = toyMachine({ ownNmiStack: false })
    toy.cpu.cpl = 0
    toy.write(HANDLER, RETURN)
    deliverEvent(toy.cpu, nmi())
    toy.machine.step()
    expect(toy.cpu.rsp).toBe(GUEST_TOP)
    expect(liveFrames(toy.cpu)).toEqual([])
    expect(violations(toy)).toHaveLength(1)
  })
})

describe('checkInvariants', () => {
  it('an unknown name is an error that lists the known ones', () => {
    const { machine, boot } = toyMachine()
    expect(() => checkInvariants(machine, boot, ['good-stak'])).toThrow('unknown invariant "good-stak"')
    expect(() => checkInvariants(machine, boot, ['good-stak'])).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('good-stack, gs, nmi-containment, no-clobber') }),
    )
  })

  it('a machine without explore() says what to load', () => {
    const { boot } = toyMachine()
    const machine = createMachine({ cpu: 'skylake' })
    expect(() => checkInvariants(machine, boot)).toThrow('this machine keeps no ghost state')
  })

  it('another plugin’s invariant sees the ghost state before and after, and what came in between', () => {
    const seen: [before: number, delivered: number, after: number][] = []
    const counting = definePlugin({
      name: 'counting',
      requires: ['explore'],
      setup(host) {
        host.add(INVARIANTS, 'counting', {
          name: 'counting',
          summary: 'counts',
          check: ({ before, delivered, after }: InvariantContext) => {
            seen.push([before.length, delivered.length, after.length])
            return null
          },
        })
      },
    })
    const { machine, boot, cpu, write } = toyMachine({ plugins: [counting] })
    write(HANDLER, RETURN)
    deliverEvent(cpu, externalInterrupt(0x21))
    checkInvariants(machine, boot)
    deliverEvent(cpu, nmi())
    expect(cpu.rsp).toBe(nmiTop() - 24n)
    checkInvariants(machine, boot)
    machine.step()
    checkInvariants(machine, boot)
    checkInvariants(machine, boot)
    expect(seen).toEqual([
      [0, 1, 1],
      [1, 1, 2],
      [2, 0, 1],
      [1, 0, 1],
    ])
  })
})
