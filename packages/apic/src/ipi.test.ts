import {
  ARRIVING,
  BLOCKED_BY_NMI,
  canStep,
  checkedStep,
  choices,
  choose,
  createMachine,
  definePlugin,
  enabledCpus,
  type Machine,
  PENDING_NMI,
  pageFlags,
  SHUTDOWN,
  STATUS,
  UnsupportedError,
  WAIT_FOR_SIPI,
} from '@trapframe/core'
import { toyMechanism } from '@trapframe/core/testing'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, test } from 'vitest'
import { apicMachine, msr, page, watch } from '../test/apic-machine.js'
import { enableLocalApic } from './enable.js'
import { acceptIpi, inFlight, isSending, setArrivals } from './ipi.js'
import { APIC_PAGE } from './mode.js'
import { apic } from './plugin.js'
import { STARTUPS } from './startup.js'

const ICR = 0x830
const NMI = 0x400n
const OTHERS = 0xc_0000n
const to = (destination: number): bigint => BigInt(destination) << 32n
const BUSY = 0x1000

/** Sends through ICR in x2APIC mode. */
const send = (machine: Machine, command: bigint, from = 0): string => msr.write(machine.cpus[from]!, ICR, command)
/** Whom a command reaches. */
const reached = (machine: Machine, command: bigint): number[] => {
  const before = machine.snapshot()
  const seen: number[] = []
  const end = machine.trace.on('ipi', ({ stage, to: list }) => void (stage === 'sent' && seen.push(...list)))
  send(machine, command)
  end()
  machine.restore(before)
  return seen
}

describe('destinations (SDM 3A 11.6.1, 11.6.2, 11.12.10)', () => {
  test.each([
    ['physical: one', NMI | to(2), [2]],
    ['physical: the sender itself', NMI | to(0), [0]],
    ['physical: nobody has this ID', NMI | to(40), []],
    ['physical: all, the sender too', NMI | to(0xffff_ffff), [0, 1, 2, 3]],
    ['shorthand: self', 0x4_4041n, [0]],
    ['shorthand: all including self', 0x8_4041n, [0, 1, 2, 3]],
    ['shorthand: all excluding self', NMI | OTHERS, [1, 2, 3]],
    ['logical: two of cluster 0', NMI | 0x800n | to(0x6), [1, 2]],
    ['logical: another cluster', NMI | 0x800n | to(0x1_0006), []],
  ])('x2APIC mode, %s', (_, command, expected) => {
    expect(reached(apicMachine('x2apic', 4), command)).toEqual(expected)
  })

  test.each([
    ['flat', 0xffff_ffff, [1, 2, 4, 8], 0x0a, [1, 3]],
    ['flat, all', 0xffff_ffff, [1, 2, 4, 8], 0xff, [0, 1, 2, 3]],
    ['cluster', 0x0fff_ffff, [0x11, 0x12, 0x21, 0x22], 0x22, [3]],
    ['cluster, in every cluster', 0x0fff_ffff, [0x11, 0x12, 0x21, 0x22], 0xf1, [0, 2]],
  ])('xAPIC mode, logical: %s (DFR, LDR)', (_, format, ids, destination, expected) => {
    const machine = apicMachine('xapic', 4)
    for (const cpu of machine.cpus) {
      page.write(cpu, 0xe0, format)
      page.write(cpu, 0xd0, ids[cpu.id]! << 24)
    }
    const seen = watch(machine)
    page.write(machine.cpu, 0x310, destination << 24)
    page.write(machine.cpu, 0x300, 0xc00)
    expect(seen[0]).toBe(`0 sent NMI to ${expected.join()}`)
  })

  test('a disabled local APIC hears nothing', () => {
    const machine = apicMachine()
    msr.write(machine.cpus[1]!, 0x1b, 0xfee0_0000n)
    expect(reached(machine, NMI | OTHERS)).toEqual([2])
  })

  test.each([
    ['SMI', 0x200n],
    ['lowest priority', 0x100n],
    ['an NMI to oneself by shorthand, which the manual calls invalid', NMI | 0x4_0000n],
  ])('%s is not modelled', (_, command) => {
    expect(() => send(apicMachine(), command)).toThrow(UnsupportedError)
  })
})

describe('K1: from sending to acceptance', () => {
  test('a message arrives at the next step of its receiver, which delivers it if it may', () => {
    const machine = apicMachine()
    const seen = watch(machine)
    send(machine, NMI | OTHERS)
    expect(inFlight(machine).map(({ from, to: receiver, what }) => `${what} ${from}>${receiver}`)).toEqual([
      'NMI 0>1',
      'NMI 0>2',
    ])
    machine.step(0)
    expect(machine.step(2)).toBe('event')
    expect(inFlight(machine)).toHaveLength(1)
    expect(machine.step(1)).toBe('event')
    expect(seen).toEqual(['0 sent NMI to 1,2', '2 accepted NMI', '2: NMI', '1 accepted NMI', '1: NMI'])
  })

  test('it wakes a halted CPU, and one in shutdown accepts it without leaving shutdown', () => {
    const machine = apicMachine()
    machine.cpus[1]!.rip = 0x2000n
    machine.step(1)
    machine.cpus[2]!.words[STATUS] = SHUTDOWN
    send(machine, NMI | OTHERS)
    expect(enabledCpus(machine)).toEqual([0, 1, 2])
    expect([machine.step(1), machine.step(2), isSending(machine.cpu)]).toEqual(['event', 'idle', false])
    expect(enabledCpus(machine)).toEqual([0, 1])
  })

  test('ICR of xAPIC mode says "send pending" until everybody has accepted; x2APIC mode has no such bit', () => {
    const machine = apicMachine('xapic')
    page.write(machine.cpu, 0x300, 0xc_4400)
    expect(page.read(machine.cpu, 0x300)).toBe(0xc_4400 | BUSY)
    expect(() => page.write(machine.cpu, 0x300, 0xc_4400)).toThrow('still pending')
    machine.step(1)
    expect(page.read(machine.cpu, 0x300) & BUSY).toBe(BUSY)
    machine.step(2)
    expect(page.read(machine.cpu, 0x300)).toBe(0xc_4400)

    const newer = apicMachine('x2apic')
    send(newer, NMI | OTHERS)
    expect(msr.read(newer.cpu, ICR)).toBe(NMI | OTHERS)
  })

  test('x2APIC mode: the earlier message arrives before the next one leaves', () => {
    const machine = apicMachine()
    const seen = watch(machine)
    send(machine, NMI | to(1))
    send(machine, NMI | to(2))
    expect(seen).toEqual(['0 sent NMI to 1', '1 accepted NMI', '0 sent NMI to 2'])
    expect([canStep(machine.cpus[1]!), (machine.cpus[1]!.words[STATUS]! & ARRIVING) !== 0]).toEqual([true, false])
  })

  test('the latch holds one NMI: two senders are one NMI to a CPU that has NMIs blocked, none is lost to one that has not', () => {
    const machine = apicMachine()
    const target = machine.cpus[1]!
    target.words[STATUS] = BLOCKED_BY_NMI
    send(machine, NMI | to(1))
    send(machine, NMI | to(1), 2)
    machine.step(1)
    expect(target.words[STATUS]).toBe(BLOCKED_BY_NMI | PENDING_NMI)
    const seen = watch(machine)
    target.words[STATUS] = PENDING_NMI
    machine.step(1)
    target.words[STATUS] = target.words[STATUS]! & ~BLOCKED_BY_NMI
    machine.step(1)
    expect(seen).toEqual(['1: NMI'])
  })

  test('an NMI to oneself is latched at once: blocked, it comes with the next IRET', () => {
    const machine = apicMachine()
    machine.cpu.words[STATUS] = BLOCKED_BY_NMI
    send(machine, NMI | to(0))
    expect([machine.cpu.words[STATUS], isSending(machine.cpu)]).toEqual([BLOCKED_BY_NMI | PENDING_NMI, false])
  })

  test('chosen arrivals: CPUs go on meanwhile, and each arrival is a choice', () => {
    const machine = apicMachine()
    const seen = watch(machine)
    setArrivals(machine, 'chosen')
    send(machine, NMI | OTHERS)
    expect(machine.step(1)).toBe('instruction')
    expect(choices(machine).flatMap((choice) => (choice.kind === 'happening' ? choice.name : []))).toEqual([
      'ipi 0>1',
      'ipi 0>2',
    ])
    choose(machine, { kind: 'happening', name: 'ipi 0>2' })
    acceptIpi(machine, 0, 1)
    machine.step(2)
    expect(seen).toEqual(['0 sent NMI to 1,2', '2 accepted NMI', '1 accepted NMI', '2: NMI'])
    expect(choices(machine)).toHaveLength(3)
  })

  test('arrivals that were chosen and are no longer come with the next steps', () => {
    const machine = apicMachine()
    setArrivals(machine, 'chosen')
    send(machine, NMI | to(1))
    setArrivals(machine, 'at-step')
    expect(machine.step(1)).toBe('event')
  })

  test('all of it is state: a snapshot taken with a message on its way goes on with it, and steps repeat', () => {
    const machine = apicMachine()
    send(machine, NMI | OTHERS)
    const before = machine.snapshot()
    const hash = machine.hash()
    for (const cpu of machine.cpus) checkedStep(machine, cpu)
    machine.restore(before)
    expect([machine.hash(), inFlight(machine).length]).toEqual([hash, 2])
    expect(machine.step(1)).toBe('event')
  })
})

describe('INIT and SIPI (SDM 3A 9.4)', () => {
  const INIT = 0x4500n
  const SIPI = 0x4608n

  test('INIT stops a CPU, whose local APIC is as after reset; nothing wakes it but a startup IPI', () => {
    const machine = apicMachine()
    send(machine, INIT | to(1))
    expect(machine.step(1)).toBe('idle')
    expect(machine.cpus[1]!.words[STATUS]).toBe(WAIT_FOR_SIPI)
    expect(msr.read(machine.cpus[1]!, 0x80f)).toBe(0xffn)
    send(machine, NMI | to(1))
    expect([machine.step(1), canStep(machine.cpus[1]!)]).toEqual(['idle', false])
    send(machine, SIPI | to(1))
    expect(() => machine.step(1)).toThrow('a startup IPI starts a CPU in real mode')
  })

  test('a plugin says what a startup IPI starts; a CPU that does not wait ignores it', () => {
    const starter = definePlugin({
      name: 'starter',
      setup(host) {
        host.add(STARTUPS, 'starter', (cpu, vector) => {
          cpu.rip = BigInt(vector << 12)
        })
      },
    })
    const machine = createMachine({ cpu: 'skylake', cpus: 2, plugins: [apic(), starter] })
    for (const cpu of machine.cpus) enableLocalApic(cpu)
    const seen = watch(machine)
    send(machine, SIPI | to(1))
    send(machine, INIT | to(1))
    send(machine, SIPI | to(1))
    acceptIpi(machine, 0, 1)
    expect(seen.filter((line) => line.startsWith('1'))).toEqual(['1 accepted INIT', '1 accepted SIPI 0x08'])
    expect([machine.cpus[1]!.rip, machine.cpus[1]!.words[STATUS]]).toEqual([0x8000n, 0])
  })

  test('INIT level de-assert does nothing; INIT on the bootstrap processor is not modelled', () => {
    const machine = apicMachine()
    const seen = watch(machine)
    send(machine, 0x8500n | OTHERS)
    expect(seen).toEqual([])
    expect(() => {
      send(machine, INIT | to(0), 1)
      machine.step(0)
    }).toThrow('reset vector')
  })
})

test('machine code: WRMSR to ICR and MOV to the page send alike', () => {
  const programs = {
    xapic:
      'mov dword [rbx+0x310], 0x1000000\nmov dword [rbx+0x300], 0x400\nwait: test dword [rbx+0x300], 0x1000\njnz wait\nhlt',
    x2apic: 'mov ecx, 0x830\nmov eax, 0x400\nmov edx, 1\nwrmsr\nhlt',
  }
  for (const mode of ['xapic', 'x2apic'] as const) {
    const machine = createMachine({
      cpu: 'skylake',
      cpus: 2,
      plugins: [isa(), toyMechanism({ entry: 0x2000n }), apic()],
    })
    machine.space(0n).map(0x1000n, pageFlags('wx'), 3)
    machine.space(0n).map(APIC_PAGE, pageFlags('w'))
    machine.space(0n).write(0x1000n, assemble(programs[mode], { origin: 0x1000n }).bytes)
    machine.space(0n).write(0x2000n, Uint8Array.of(0xf4))
    for (const cpu of machine.cpus) {
      cpu.rsp = 0x4000n
      enableLocalApic(cpu, mode)
    }
    machine.cpu.rip = 0x1000n
    machine.cpu.setGpr(3, APIC_PAGE)
    machine.cpus[1]!.rip = 0x2000n
    const seen = watch(machine)
    for (let n = 0; n < 12; n++) machine.step(0)
    expect(machine.cpu.halted).toBe(mode === 'x2apic')
    expect(machine.step(1)).toBe('event')
    for (let n = 0; n < 4; n++) machine.step(0)
    expect(machine.cpu.halted).toBe(true)
    expect(seen).toEqual(['0 sent NMI to 1', '1 accepted NMI', '1: NMI'])
  }
})
