import {
  type Cpu,
  DR6_BS,
  pendDebugTrap,
  pendMachineCheck,
  pendNmi,
  readMsr,
  type Snapshot,
  VECTOR_DF,
} from '@trapframe/core'
import { IA32_FRED_CONFIG } from '@trapframe/fred'
import { describe, expect, it } from 'vitest'
import { delivered, enter, isOnStack, printed, runTo, type XenMachine, xenMachine } from '../../test/xen-machine.js'
import { stackOf } from '../layout/memory.js'

/** The guest puts RSP where it likes before it calls. */
const PROGRAM = 'mov rsp, 0x7fff0000\ncall_xen: syscall\nback: nop'
const EVENTS: readonly (readonly [name: string, pend: (cpu: Cpu) => void])[] = [
  ['NMI', pendNmi],
  ['#DB', (cpu) => pendDebugTrap(cpu, DR6_BS)],
  ['#MC', pendMachineCheck],
]

interface Boundary {
  readonly rip: bigint
  readonly rsp: bigint
  readonly state: Snapshot
}

/** Every instruction boundary of ring 0 between SYSCALL and the return from it. */
function boundaries(xen: XenMachine, labels: ReadonlyMap<string, bigint>): Boundary[] {
  runTo(xen, labels.get('call_xen')!)
  const found: Boundary[] = []
  for (xen.machine.step(); xen.cpu.rip !== labels.get('back'); xen.machine.step()) {
    found.push({ rip: xen.cpu.rip, rsp: xen.cpu.rsp, state: xen.machine.snapshot() })
  }
  return found
}

/** Injects an event at each boundary: where the frame landed, and whether the guest came back as without it. */
function outcomes(xen: XenMachine, pend: (cpu: Cpu) => void) {
  const labels = enter(xen, 'guest', PROGRAM)
  const all = boundaries(xen, labels)
  const undisturbed = [
    xen.cpu.rip,
    xen.cpu.rsp,
    xen.cpu.rflags,
    ...Array.from({ length: 16 }, (_, n) => xen.cpu.gpr(n)),
  ]
  return all.map(({ rip, rsp, state }) => {
    xen.machine.restore(state)
    pend(xen.cpu)
    expect(xen.machine.step()).toBe('event')
    const frame = xen.cpu.rsp
    const good = isOnStack(xen, xen.cpu, frame)
    runTo(xen, labels.get('back')!)
    const after = [xen.cpu.rip, xen.cpu.rsp, xen.cpu.rflags, ...Array.from({ length: 16 }, (_, n) => xen.cpu.gpr(n))]
    expect(after).toEqual(undisturbed)
    return { rip, rsp, frame, good }
  })
}

/** SMAP and shadow stacks off: the frame itself is looked at, not what stops it. */
const bare = { smap: false, shadowStacks: false, ibt: false }

describe('X7: NMI, #DB and #MC at every instruction between SYSCALL and SYSRET or ERETU', () => {
  it.each(EVENTS)('%s under the IDT with IST: always on its own stack', (_name, pend) => {
    const xen = xenMachine('panther-lake', { delivery: 'idt', options: bare })
    const all = outcomes(xen, pend)
    expect(all.length).toBeGreaterThan(90)
    expect(all.filter(({ good }) => !good)).toEqual([])
    expect(new Set(all.map(({ frame }) => frame)).size).toBe(1)
  })

  it.each(EVENTS)(
    '%s under the IDT without IST: in guest memory while RSP is the guest’s, on the way in and out',
    (_name, pend) => {
      const xen = xenMachine('panther-lake', { delivery: 'idt', options: { ...bare, ist: false } })
      const bad = outcomes(xen, pend).filter(({ good }) => !good)
      const entry = xen.label('syscall_entry')
      expect(bad.map(({ rip }) => rip)).toEqual([
        entry,
        entry + 10n,
        entry + 13n,
        xen.label('sysretq_guest') - 2n,
        xen.label('sysretq_guest'),
      ])
      for (const { rsp, frame } of bad) {
        expect(rsp).toBe(0x7fff_0000n)
        expect(frame).toBe(0x7ffe_ffd8n)
      }
    },
  )

  it.each(EVENTS)('%s under FRED: there is no gap, and no stack of its own is needed', (name, pend) => {
    for (const revision of ['rfc', 'upstream']) {
      const xen = xenMachine('panther-lake', { delivery: 'fred', options: { ...bare, revision } })
      const all = outcomes(xen, pend)
      expect(all.length).toBeGreaterThan(60)
      expect(all.filter(({ good }) => !good)).toEqual([])
      if (name === '#MC' && revision === 'upstream') continue
      for (const { rsp, frame } of all) expect(rsp - frame).toBeLessThan(128n)
    }
  })

  it.each(EVENTS)('%s with SMAP, shadow stacks and IBT on, under both deliveries', (_name, pend) => {
    for (const delivery of ['idt', 'fred']) {
      const xen = xenMachine('panther-lake', { delivery })
      expect(outcomes(xen, pend).filter(({ good }) => !good)).toEqual([])
    }
  })
})

/** An NMI at the first instruction of ring 0. */
function nmiInGap(options: Record<string, unknown>) {
  const xen = xenMachine('panther-lake', { delivery: 'idt', options: { ibt: false, ist: false, ...options } })
  enter(xen, 'guest', PROGRAM)
  runTo(xen, xen.label('syscall_entry'))
  pendNmi(xen.cpu)
  const entries = runTo(xen, null)
  const faults = entries.flatMap((entry) =>
    entry.type === 'fault' ? [`${entry.fault}[${entry.errorCode}] during ${entry.during}`] : [],
  )
  return { xen, entries, faults }
}

describe('an NMI in the SYSCALL gap, without IST', () => {
  it('SMAP: the push to the guest’s page faults, so does the #PF, and #DF ends it on its own stack', () => {
    const { xen, entries, faults } = nmiInGap({ smap: true, shadowStacks: false })
    expect(faults).toEqual(['#PF[3] during NMI', '#PF[3] during #PF'])
    expect(delivered(entries)).toEqual(['#DF'])
    const [event] = entries.filter((entry) => entry.type === 'event')
    expect(event).toMatchObject({
      vector: VECTOR_DF,
      type: 'event',
      rip: xen.label('entry_DF'),
    })
    const region = xen.boot.stackMap(xen.cpu).regions.find(({ address, bytes }) => {
      return event!.type === 'event' && event!.rsp >= address && event!.rsp < address + BigInt(bytes)
    })
    expect(region?.name).toBe('#DF')
    const lines = printed(entries)
    expect(lines.slice(0, 5)).toEqual([
      '*** DOUBLE FAULT ***',
      '----[ Xen-4.21-unstable  x86_64  debug=n  Not tainted ]----',
      'CPU:    0',
      'RIP:    e008:[<ffff82d07ffff000>] ffff82d07ffff000',
      'RFLAGS: 0000000000010002   CONTEXT: hypervisor',
    ])
    expect(lines.at(-2)).toBe('DOUBLE FAULT -- system shutdown')
    expect(xen.cpu.halted).toBe(true)
    expect(xen.cpu.rip - xen.label('panic_stop')).toBe(2n)
  })

  it('shadow stacks: SYSCALL left SSP = 0, so the push below it faults, and #DF takes its own token', () => {
    const { entries, faults } = nmiInGap({ smap: false, shadowStacks: true })
    expect(faults).toEqual(['#PF[66] during NMI', '#PF[66] during #PF'])
    expect(delivered(entries)).toEqual(['#DF'])
    expect(printed(entries)[0]).toBe('*** DOUBLE FAULT ***')
  })

  it('neither: it is delivered to the guest’s memory and returns, as if nothing had happened', () => {
    const xen = xenMachine('panther-lake', { delivery: 'idt', options: { ...bare, ist: false } })
    const labels = enter(xen, 'guest', PROGRAM)
    runTo(xen, xen.label('syscall_entry'))
    pendNmi(xen.cpu)
    const entries = runTo(xen, labels.get('back')!)
    expect(delivered(entries)).toEqual(['NMI'])
    expect(printed(entries)).toEqual([])
  })
})

describe('an NMI from guest context', () => {
  it('moves its frame from the interrupt stack to the primary one, and goes straight back', () => {
    for (const shadowStacks of [false, true]) {
      const xen = xenMachine('panther-lake', { delivery: 'idt', options: { shadowStacks } })
      const labels = enter(xen, 'guest', 'nop\nback: nop')
      pendNmi(xen.cpu)
      const entries = runTo(xen, labels.get('back')!)
      expect(entries.filter(({ type }) => type === 'dispatch')).toEqual([
        { type: 'dispatch', cpu: 0, routine: 'do_nmi' },
      ])
      expect(entries.filter(({ type }) => type === 'return')).toMatchObject([{ mnemonic: 'iret', cpl: 3 }])
      for (const token of [0x6000n, 0x800n].map((end) => stackOf(0).linear + end - 8n)) {
        expect(xen.cpu.space.read64(token)).toBe(shadowStacks ? token : 0n)
      }
    }
  })

  it('under FRED enters at SL0 like everything else from ring 3 (A10)', () => {
    const xen = xenMachine('panther-lake', { delivery: 'fred', options: { revision: 'upstream' } })
    enter(xen, 'guest', 'nop\nnop')
    pendMachineCheck(xen.cpu)
    xen.machine.step()
    expect(xen.cpu.rip).toBe(xen.label('entry_FRED_R3'))
    expect(readMsr(xen.cpu, IA32_FRED_CONFIG) & 3n).toBe(0n)
  })
})
