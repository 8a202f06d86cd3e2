import { CS, definePlugin, deliverEvent, externalInterrupt, nmi, PAGE_SHADOW_STACK, type Plugin } from '@trapframe/core'
import { describe, expect, it } from 'vitest'
import {
  BUMP,
  CODE,
  FAULT,
  GS_LOAD,
  GUEST,
  HANDLER,
  NOP,
  primaryTop,
  RETURN,
  STORE,
  SYSRET,
  toyMachine,
} from '../../test/toy.js'
import { CONTAINMENTS } from '../ghost/frozen.js'
import { interruptEvent } from '../search/event.js'
import { search } from '../search/search.js'
import { checkInvariants } from './check.js'

type Toy = ReturnType<typeof toyMachine>

/** One step, judged by one invariant. */
const step = ({ machine, boot }: Toy, invariant: string, cpu = 0) => {
  machine.step(cpu)
  return checkInvariants(machine, boot, [invariant]).map(({ message }) => message)
}

const HOST_GS = 0x5000n

describe('return-identity: what returns is what was interrupted', () => {
  const search21 = (handler: number[]) => {
    const toy = toyMachine()
    toy.cpu.rflags |= 0x200n
    toy.write(HANDLER, ...handler)
    const events = [interruptEvent(0x21)]
    const atEnd = ({ rip }: { rip: bigint }) => rip === CODE + 4n
    return search(toy.machine, toy.boot, { events, atEnd, invariants: ['return-identity'] })
  }

  it('a handler that returns at once keeps it', () => {
    expect(search21([NOP, RETURN])).toMatchObject({ complete: true, violations: [] })
  })

  it('a handler that changes a register breaks it, and the counterexample is one event and three steps', () => {
    expect(search21([BUMP, RETURN]).violations[0]).toMatchObject({
      message: 'interrupt 0x21 came back with other registers',
      events: 1,
      steps: 3,
    })
  })

  it('a handler that leaves for somewhere else breaks it, and RIP is named', () => {
    const toy = toyMachine()
    toy.write(HANDLER, SYSRET)
    toy.cpu.setGpr(1, CODE + 8n)
    toy.cpu.setGpr(2, toy.cpu.rsp)
    deliverEvent(toy.cpu, nmi())
    checkInvariants(toy.machine, toy.boot)
    expect(step(toy, 'return-identity')).toEqual(['NMI came back with RIP 1008 for 1000'])
  })

  it('the handler of a fault may return elsewhere', () => {
    const toy = toyMachine()
    toy.write(CODE, FAULT)
    toy.write(HANDLER, BUMP, RETURN)
    expect([1, 2, 3].flatMap(() => step(toy, 'return-identity'))).toEqual([])
  })
})

describe('gs: ring 0 uses GS with a base of its own', () => {
  const toy = (gsBase: bigint) => {
    const made = toyMachine({ facts: { hostGsBases: () => [HOST_GS] } })
    made.write(HANDLER, GS_LOAD)
    deliverEvent(made.cpu, nmi())
    checkInvariants(made.machine, made.boot)
    made.cpu.gsBase = gsBase
    return made
  }

  it('the window before SWAPGS: the base is still the guest’s', () => {
    expect(step(toy(0x7000n), 'gs')).toEqual(['ring 0 used GS with base 7000'])
  })

  it('after it all is well, and ring 3 may have any base', () => {
    expect(step(toy(HOST_GS), 'gs')).toEqual([])
    const guest = toyMachine({ facts: { hostGsBases: () => [HOST_GS] } })
    guest.write(CODE, GS_LOAD)
    expect(step(guest, 'gs')).toEqual([])
  })
})

describe('no-escalation: ring 3 never starts with ring 0’s state', () => {
  const returning = (change: (toy: Toy) => void) => {
    const toy = toyMachine({ facts: { hostGsBases: () => [HOST_GS] } })
    toy.write(HANDLER, SYSRET)
    toy.cpu.setGpr(1, CODE)
    toy.cpu.setGpr(2, toy.cpu.rsp)
    deliverEvent(toy.cpu, nmi())
    checkInvariants(toy.machine, toy.boot)
    change(toy)
    return step(toy, 'no-escalation')
  }

  it('a clean return', () => expect(returning(() => {})).toEqual([]))

  it('GS base, stack pointer and selectors of ring 0', () => {
    expect(
      returning(({ cpu }) => {
        cpu.gsBase = HOST_GS
      }),
    ).toEqual(['CPL 3 with ring 0’s GS base 5000'])
    expect(returning(({ cpu }) => cpu.setGpr(2, primaryTop()))).toEqual(['CPL 3 with RSP 11000, stack primary'])
    expect(
      returning(({ cpu }) => cpu.setSegment(CS, { selector: 8, base: 0n, limit: 0, access: cpu.segment(CS).access })),
    ).toEqual(['CPL 3 with CS 8'])
  })
})

describe('no-shutdown', () => {
  it('a fault in the delivery of #DF, once', () => {
    const toy = toyMachine()
    toy.machine.space(0n).unmap(primaryTop() - 0x1000n)
    toy.write(CODE, FAULT)
    expect(step(toy, 'no-shutdown')).toEqual(['shutdown at 1000, RSP 81000'])
    expect(step(toy, 'no-shutdown')).toEqual([])
  })

  it('a fault that is delivered', () => {
    const toy = toyMachine()
    toy.write(CODE, FAULT)
    expect(step(toy, 'no-shutdown')).toEqual([])
  })
})

describe('nmi-containment: a contained CPU stays where it may be (K1, K2)', () => {
  /** CPU 1 is contained once it runs in ring 0; it may run the handler, and leaves the guest's page as it is. */
  const containment: Plugin = definePlugin({
    name: 'stopper',
    requires: ['explore'],
    setup: (host) =>
      host.add(CONTAINMENTS, 'stopped', {
        name: 'stopped',
        contained: (_machine, cpu) => cpu.id === 1 && cpu.gpr(7) === 1n,
        allowed: () => [{ address: HANDLER, bytes: 2 }],
        frozen: () => [{ address: GUEST, bytes: 16 }],
      }),
  })
  const toy = () => {
    const made = toyMachine({ cpus: 2, plugins: [containment] })
    made.machine.cpus[1]!.setGpr(7, 1n)
    return made
  }

  it('executing anything else breaks it', () => {
    const made = toy()
    expect(step(made, 'nmi-containment', 0)).toEqual([])
    expect(step(made, 'nmi-containment', 1)).toEqual(['contained CPU executed 1000'])
    deliverEvent(made.machine.cpus[1]!, nmi())
    checkInvariants(made.machine, made.boot)
    expect(step(made, 'nmi-containment', 1)).toEqual([])
  })

  it('so does writing what it left, by whomever', () => {
    const made = toy()
    made.write(CODE, STORE, STORE)
    made.cpu.setGpr(0, GUEST + 16n)
    expect(step(made, 'nmi-containment')).toEqual([])
    made.cpu.setGpr(0, GUEST + 12n)
    expect(step(made, 'nmi-containment')).toEqual(['CPU 0 wrote 8000c, which contained CPU 1 left, at 1001'])
  })
})

describe('domain-isolation', () => {
  const areas = { guest: [{ address: GUEST, bytes: 0x800 }], other: [{ address: GUEST + 0x800n, bytes: 0x800 }] }

  it('ring 3 writes its own memory, and not another domain’s', () => {
    const toy = toyMachine({ facts: { areas } })
    toy.write(CODE, STORE, STORE, STORE)
    toy.cpu.setGpr(0, GUEST)
    expect(step(toy, 'domain-isolation')).toEqual([])
    toy.cpu.setGpr(0, GUEST + 0x7fcn)
    expect(step(toy, 'domain-isolation')).toEqual(['guest wrote 807fc, other memory'])
    const owned = toyMachine({ facts: { areas, owner: () => 'other' } })
    owned.write(CODE, STORE)
    owned.cpu.setGpr(0, GUEST + 0x800n)
    expect(step(owned, 'domain-isolation')).toEqual([])
  })

  it('X7: a frame in a domain’s memory', () => {
    const toy = toyMachine({ ownNmiStack: false })
    toy.cpu.cpl = 0
    deliverEvent(toy.cpu, nmi())
    const found = checkInvariants(toy.machine, toy.boot, ['domain-isolation'])
    expect(found).toMatchObject([{ message: 'a delivery wrote 80fe8, guest memory' }])
  })
})

describe('shadow-stack', () => {
  const SHADOW = 0x9_0000n
  const toy = () => {
    const made = toyMachine()
    made.machine.space(0n).map(SHADOW, PAGE_SHADOW_STACK)
    made.cpu.supervisorShadowStack = true
    made.cpu.cpl = 0
    made.cpu.rsp = primaryTop()
    made.cpu.ssp = SHADOW + 0x800n
    return made
  }
  const judged = ({ machine, boot }: Toy) =>
    checkInvariants(machine, boot, ['shadow-stack']).map(({ message }) => message)

  it('SSP in a shadow-stack page, and back after the return', () => {
    const made = toy()
    made.write(HANDLER, RETURN)
    deliverEvent(made.cpu, externalInterrupt(0x21))
    expect(judged(made)).toEqual([])
    expect(step(made, 'shadow-stack')).toEqual([])
  })

  it('SSP elsewhere, or another one after the return', () => {
    const made = toy()
    made.cpu.ssp = GUEST
    deliverEvent(made.cpu, externalInterrupt(0x21))
    expect(judged(made)).toEqual(['interrupt 0x21 left SSP at 80000, which is no shadow stack'])
    made.write(HANDLER, RETURN)
    made.cpu.ssp = GUEST + 8n
    expect(step(made, 'shadow-stack')).toEqual(['interrupt 0x21 came back with SSP 80008 for 80000'])
  })
})
