import { type Cpu, CS, definePlugin, deliverEvent, externalInterrupt, nmi, PAGE_SHADOW_STACK } from '@trapframe/core'
import { contractFindings } from '@trapframe/core/testing'
import { describe, expect, test } from 'vitest'
import { BUMP, CODE, GS_LOAD, GUEST, HANDLER, primaryTop, RETURN, STORE, toyMachine } from '../../test/toy.js'
import { CONTAINMENTS } from '../ghost/frozen.js'
import { BUILT_IN } from '../invariant/built-in.js'
import { INVARIANTS, type Invariant } from '../invariant/invariant.js'
import { type InvariantContract, type InvariantSetUp, invariantContract } from './invariant-contract.js'

type Seeds = Pick<InvariantContract, 'violate' | 'obey'> & { readonly setUp?: () => InvariantSetUp }

const HOST_GS = 0x5000n
const SHADOW = 0x9_0000n

const write = ({ machine }: InvariantSetUp, address: bigint, ...code: number[]): void =>
  machine.space(0n).write(address, Uint8Array.from(code))
const boot = ({ machine }: InvariantSetUp): Cpu => machine.cpu

/** For each invariant of explore what it must find, and what looks like it. */
const SEEDS: Readonly<Record<string, Seeds>> = {
  'good-stack': {
    setUp: () => toyMachine({ ownNmiStack: false }),
    obey: (one) => deliverEvent(boot(one), externalInterrupt(0x21)),
    violate: (one) => {
      boot(one).cpl = 0
      deliverEvent(boot(one), nmi())
    },
  },
  'no-clobber': {
    obey: (one) => deliverEvent(boot(one), nmi()),
    violate: (one) => {
      deliverEvent(boot(one), nmi())
      deliverEvent(boot(one), nmi())
    },
  },
  'return-identity': {
    obey: (one) => {
      write(one, HANDLER, RETURN)
      deliverEvent(boot(one), nmi())
      one.machine.step()
    },
    violate: (one) => {
      write(one, HANDLER, BUMP, RETURN)
      deliverEvent(boot(one), nmi())
      one.machine.step()
      one.machine.step()
    },
  },
  gs: {
    setUp: () => toyMachine({ facts: { hostGsBases: () => [HOST_GS] } }),
    obey: (one) => useGs(one, HOST_GS),
    violate: (one) => useGs(one, 0x7000n),
  },
  'no-escalation': {
    obey: returnWith(() => undefined),
    violate: returnWith((cpu) =>
      cpu.setSegment(CS, { selector: 8, base: 0n, limit: 0, access: cpu.segment(CS).access }),
    ),
  },
  'no-shutdown': {
    violate: (one) => {
      one.machine.space(0n).unmap(primaryTop() - 0x1000n)
      deliverEvent(boot(one), externalInterrupt(0x21))
    },
  },
  'no-panic': {
    setUp: () => toyMachine({ facts: { panicStop: HANDLER } }),
    obey: (one) => one.machine.step(),
    violate: (one) => deliverEvent(boot(one), nmi()),
  },
  'nmi-containment': {
    setUp: () => toyMachine({ plugins: [containment()] }),
    violate: (one) => {
      boot(one).setGpr(7, 1n)
      one.machine.step()
    },
  },
  'shadow-stack': {
    setUp: () => {
      const made = toyMachine()
      made.machine.space(0n).map(SHADOW, PAGE_SHADOW_STACK)
      return made
    },
    obey: (one) => deliverWithShadow(one, SHADOW + 0x800n),
    violate: (one) => deliverWithShadow(one, GUEST),
  },
  'domain-isolation': {
    setUp: () =>
      toyMachine({
        facts: { areas: { guest: [{ address: GUEST, bytes: 8 }], other: [{ address: GUEST + 8n, bytes: 8 }] } },
      }),
    obey: (one) => storeAt(one, GUEST),
    violate: (one) => storeAt(one, GUEST + 8n),
  },
}

function useGs(one: InvariantSetUp, base: bigint): void {
  write(one, HANDLER, GS_LOAD)
  deliverEvent(boot(one), nmi())
  boot(one).gsBase = base
  one.machine.step()
}

function returnWith(change: (cpu: Cpu) => void): (one: InvariantSetUp) => void {
  return (one) => {
    write(one, HANDLER, RETURN)
    deliverEvent(boot(one), nmi())
    change(boot(one))
    one.machine.step()
  }
}

function deliverWithShadow(one: InvariantSetUp, ssp: bigint): void {
  const cpu = boot(one)
  cpu.supervisorShadowStack = true
  cpu.cpl = 0
  cpu.rsp = primaryTop()
  cpu.ssp = ssp
  deliverEvent(cpu, externalInterrupt(0x21))
}

function storeAt(one: InvariantSetUp, address: bigint): void {
  write(one, CODE, STORE)
  boot(one).setGpr(0, address)
  boot(one).rip = CODE
  one.machine.step()
}

const containment = () =>
  definePlugin({
    name: 'stopper',
    requires: ['explore'],
    setup: (host) =>
      host.add(CONTAINMENTS, 'stopped', {
        name: 'stopped',
        contained: (_machine, cpu) => cpu.gpr(7) === 1n,
        allowed: () => [{ address: HANDLER, bytes: 2 }],
        frozen: () => [{ address: GUEST, bytes: 16 }],
      }),
  })

describe.each(BUILT_IN.map(({ name }) => name))('%s keeps the contract of invariants', (invariant) => {
  const { setUp = () => toyMachine(), ...seeds } = SEEDS[invariant]!
  for (const { title, skip, run } of invariantContract({ invariant, setUp, ...seeds })) test(title, { skip }, run)
})

describe('the contract of invariants finds', () => {
  const judge = (check: Invariant['check'], violate: InvariantContract['violate'] = () => undefined): string[] => {
    const plugin = () =>
      definePlugin({
        name: 'own',
        requires: ['explore'],
        setup: (host) => host.add(INVARIANTS, 'own', { name: 'own', summary: 'for tests', check }),
      })
    const setUp = () => toyMachine({ plugins: [plugin()] })
    return contractFindings(invariantContract({ invariant: 'own', setUp, violate }))
  }

  test('one that finds nothing', () => {
    expect(judge(() => null)).toEqual(['finds: it found nothing'])
  })

  test('one that always finds something', () => {
    const always = judge(({ cpu }) => ({ invariant: 'own', message: 'bad', cpu: cpu.id }))
    expect(always).toEqual([
      'silent: on a machine that was just booted: bad (CPU 0)',
      'restored: after the restore it still finds: bad (CPU 0)',
    ])
  })

  test('one that changes the machine', () => {
    const findings = judge(({ cpu }) => {
      cpu.setGpr(0, cpu.gpr(0) + 1n)
      return null
    })
    expect(findings).toContain('pure: the machine is another after it was judged')
  })

  test('one that counts in a variable of its own', () => {
    let count = 0
    const findings = judge(
      ({ cpu }) => (cpu.gpr(0) === 1n ? { invariant: 'own', message: `for the ${++count}th time`, cpu: 0 } : null),
      ({ machine }) => machine.cpu.setGpr(0, 1n),
    )
    expect(findings).toContainEqual(expect.stringMatching(/^pure: it said "for the \d+th time/))
    expect(findings).toContainEqual(expect.stringMatching(/^restored: it said /))
  })
})
