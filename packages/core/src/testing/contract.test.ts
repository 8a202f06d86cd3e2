import { describe, expect, test } from 'vitest'
import type { Cpu } from '../cpu/cpu.js'
import type { CpuEvent } from '../event/event.js'
import type { DeliveryMechanism } from '../event/mechanism.js'
import { FLAT_SITE_AREAS, FLAT_SITES, flatSites, mapFlatSites } from '../machine/flat-sites.js'
import type { Boot, HostKind } from '../machine/host.js'
import { createMachine, type Machine } from '../machine/machine.js'
import { readStackRegion } from '../machine/stack-region.js'
import { IMPLICIT, pageFlags, WRITE } from '../memory/access.js'
import { store64 } from '../memory/linear.js'
import { definePlugin, HOSTS, MECHANISMS, type Plugin } from '../plugin/plugin.js'
import { RAX, RSP, STATUS } from '../state/registers.js'
import { HALTED } from '../state/status.js'
import { ContractError, contract, contractFindings } from './contract.js'
import { hostContract } from './host-contract.js'
import { mechanismContract } from './mechanism-contract.js'
import { toyIsa } from './toy-isa.js'
import { toyMechanism } from './toy-mechanism.js'

const ENTRY = 0x70_0000n

/** A machine with flat segments, a toy mechanism, and a handler that returns at once. */
function toyMachine(mechanism: Plugin, ...more: Plugin[]): Machine {
  const machine = createMachine({ cpu: 'skylake', cpus: 2, plugins: [toyIsa(), mechanism, ...more] })
  const space = machine.space(0n)
  mapFlatSites(space)
  space.map(ENTRY, pageFlags('xu'))
  space.write(ENTRY, Uint8Array.of(0xcf))
  return machine
}

const hostStack = ({ id }: Cpu): bigint => FLAT_SITES.HOST_DATA + 0x1000n * BigInt(1 + id)
const SITES = flatSites({ hostStack, setShadowStack: () => undefined })

/** The toy mechanism with something about its delivery changed. */
function altered(deliver: (cpu: Cpu, event: CpuEvent, inner: DeliveryMechanism['deliver']) => void): Plugin {
  const inner = toyMechanism({ entry: ENTRY })
  return definePlugin({
    name: inner.name,
    setup: (host) =>
      inner.setup({
        ...host,
        add: (slot, name, value, options) => {
          if (slot.name !== MECHANISMS.name) return host.add(slot, name, value, options)
          const mechanism = value as DeliveryMechanism
          const whole = mechanism.deliver.bind(mechanism)
          const changed: DeliveryMechanism = { ...mechanism, deliver: (cpu, event) => deliver(cpu, event, whole) }
          host.add(MECHANISMS, name, changed, options)
        },
      }),
  })
}

const judge = (mechanism: () => Plugin, name = 'toy'): string[] =>
  contractFindings(
    mechanismContract({ mechanism: name, setUp: () => ({ machine: toyMachine(mechanism()), places: SITES }) }),
  )

describe('the contract of delivery mechanisms', () => {
  test('the toy mechanism keeps it', () => {
    expect(judge(() => toyMechanism({ entry: ENTRY }))).toEqual([])
  })

  test('a register that is changed before the stack is known to be good', () => {
    const findings = judge(() =>
      altered((cpu, event, deliver) => {
        cpu.rip = ENTRY
        deliver(cpu, event)
      }),
    )
    expect(findings[0]).toMatch(/^all-or-nothing: .*: it threw, and word \d+ of the CPU is another$/)
  })

  test('a handler’s RAX that comes from a variable', () => {
    const findings = judge(() => {
      let count = 0
      return altered((cpu, event, deliver) => {
        deliver(cpu, event)
        cpu.words[RAX] = ++count
      })
    })
    expect(findings).toContainEqual(expect.stringMatching(/^snapshot: .*: the second time it came out otherwise$/))
    expect(findings).toContainEqual(expect.stringMatching(/^round-trip: /))
  })

  test('an error that is no Fault', () => {
    const findings = judge(() =>
      altered(() => {
        throw new TypeError('x is not a function')
      }),
    )
    expect(findings).toContain(
      'all-or-nothing: interrupt 0x20: deliver() threw something that is no Fault: TypeError: x is not a function',
    )
  })

  test('blocking that is changed by the mechanism', () => {
    const findings = judge(() =>
      altered((cpu, event, deliver) => {
        deliver(cpu, event)
        cpu.words[STATUS] = cpu.words[STATUS]! | HALTED
      }),
    )
    expect(findings).toContain('blocking: interrupt 0x20 at guest: the STATUS word is another')
  })

  test('ring 0 with the segments of ring 3, and the other way round', () => {
    const findings = judge(() =>
      altered((cpu, event, deliver) => {
        deliver(cpu, event)
        cpu.cpl = 0
      }),
    )
    expect(findings).toContain('privilege: interrupt 0x20 at guest, nothing wrong: CPL 0 with CS 0x2b')
  })

  test('a return that loses the stack pointer', () => {
    const findings = judge(() =>
      altered((cpu, event, deliver) => {
        deliver(cpu, event)
        store64(cpu, cpu.words[RSP]! + 8, 0, 2, 0, WRITE | IMPLICIT)
      }),
    )
    expect(findings).toEqual([
      expect.stringMatching(/^round-trip: .* word \d+ of the CPU is another after the return$/),
    ])
  })

  test('a mechanism that is not there, or not active', () => {
    const toy = (): Plugin => toyMechanism({ entry: ENTRY })
    expect(judge(toy, 'other')[0]).toBe('active: no plugin contributes the mechanism "other"')
  })
})

function toyHost(change: Partial<HostKind> & { boot?: HostKind['boot'] } = {}, facts: Partial<Boot> = {}): Plugin {
  const kind: HostKind = {
    name: 'toy',
    summary: 'a host for tests',
    deliveries: ['toy'],
    options: {},
    boot(machine, { delivery = 'toy', options = {} }) {
      if (delivery !== 'toy' || Object.keys(options).length > 0)
        throw createRefusal(`${delivery}, ${Object.keys(options)}`)
      mapFlatSites(machine.space(0n))
      for (const cpu of machine.cpus) SITES.guest!.enter(cpu)
      return {
        delivery: 'toy',
        reasons: ['there is no other'],
        log: [],
        labels: new Map([['entry', ENTRY]]),
        sites: SITES,
        areas: FLAT_SITE_AREAS,
        stackMap: (cpu) => {
          const stack = { address: hostStack(cpu) - 0x1000n, bytes: 0x1000, name: 'task', kind: 'stack' } as const
          const guest = FLAT_SITES.GUEST_STACK_TOP - 0x1000n
          const own = { address: guest, bytes: 0x1000, name: 'guest', kind: 'data' } as const
          return {
            cpu: cpu.id,
            delivery: 'toy',
            regions: [readStackRegion(cpu, stack, []), readStackRegion(cpu, own, [])],
            elsewhere: [],
          }
        },
        ...facts,
      }
    },
    ...change,
  }
  return definePlugin({ name: 'toy-host', setup: (host) => host.add(HOSTS, 'toy', kind) })
}

const createRefusal = (what: string): Error => {
  try {
    createMachine({ cpu: what })
  } catch (error) {
    return error as Error
  }
  throw new Error('such a CPU exists')
}

const judgeHost = (host: () => Plugin): string[] =>
  contractFindings(hostContract({ host: 'toy', machine: () => toyMachine(toyMechanism({ entry: ENTRY }), host()) }))

describe('the contract of hosts', () => {
  test('a host whose ring 3 has no stack of ring 0 is told where its frames go; all else is kept', () => {
    expect(judgeHost(() => toyHost())).toEqual([
      'delivers: {"delivery":"toy"}, site guest: the frame is at 0x5ffff0, which no stack of the map holds',
    ])
  })

  test.each<[what: string, host: () => Plugin, finding: string]>([
    ['no summary', () => toyHost({ summary: '' }), 'listed: it has no summary'],
    ['a delivery that it does not have', () => toyHost({ deliveries: ['toy', 'fred'] }), 'boots: CPU'],
    ['no site for guests', () => toyHost({}, { sites: {} }), 'sites: {"delivery":"toy"}: there is no site "guest"'],
    [
      'an address that no CPU has',
      () => toyHost({}, { labels: new Map([['x', 1n << 62n]]) }),
      'labels: {"delivery":"toy"}: label "x" is 0x4000000000000000',
    ],
    [
      'memory of two owners',
      () => toyHost({}, { areas: { a: [{ address: 0n, bytes: 9 }], b: [{ address: 8n, bytes: 1 }] } }),
      'areas: {"delivery":"toy"}: 0x0 is "a"\'s and "b"\'s',
    ],
    [
      'a stack map of another CPU',
      () => toyHost({}, { stackMap: () => ({ cpu: 7, delivery: 'toy', regions: [], elsewhere: [] }) }),
      'stack-map: {"delivery":"toy"}: CPU 0: the map says that it is CPU 7\'s; CPU 0: there is no stack',
    ],
    [
      'a stack map that writes',
      () =>
        toyHost(
          {},
          {
            stackMap: (cpu) => {
              cpu.words[RAX] = cpu.words[RAX]! + 1
              return { cpu: cpu.id, delivery: 'toy', regions: [], elsewhere: [] }
            },
          },
        ),
      'reads: {"delivery":"toy"}: the machine is another after it was read',
    ],
    [
      'a boot that remembers the one before',
      () => {
        const host = toyHost()
        return definePlugin({
          name: host.name,
          setup: (door) =>
            host.setup({
              ...door,
              add: (slot, name, value) => {
                const kind = value as HostKind
                door.add(slot as never, name, {
                  ...kind,
                  boot: (machine: Machine, request: object) => {
                    const booted = kind.boot(machine, request)
                    machine.cpu.words[RAX] = ++boots
                    return booted
                  },
                })
              },
            }),
        })
      },
      'same-boot: {"delivery":"toy"}: they differ',
    ],
  ])('%s', (_what, host, finding) => {
    expect(judgeHost(host)).toContainEqual(expect.stringContaining(finding.split(':')[0]!))
    if (!finding.endsWith('CPU')) expect(judgeHost(host).join('\n')).toContain(finding)
  })
})

let boots = 0

describe('exceptions', () => {
  const checks = (except: Record<string, string>) => contract([['a', 'holds', () => undefined]], { except })

  test('have a reason, which stands in the title', () => {
    expect(checks({ a: 'no stacks here' })[0]).toMatchObject({ skip: true, title: 'holds (not here: no stacks here)' })
    expect(() => checks({ a: ' ' })).toThrow(new ContractError('the exception of "a" has no reason'))
  })

  test('name a check', () => {
    expect(() => checks({ b: 'why not' })).toThrow('there is no check "b"; there are a')
  })
})
