import { apic, setArrivals } from '@trapframe/apic'
import { createMachine, pendNmi, UserError } from '@trapframe/core'
import { contractFindings } from '@trapframe/core/testing'
import { checkInvariants, explore, NMI_EVENT, search } from '@trapframe/explore'
import { invariantContract } from '@trapframe/explore/testing'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import { xen } from '@trapframe/xen'
import { describe, expect, test } from 'vitest'
import { kexec, kexecSearch, loadCrashImage, NOTE_BYTES, noteOf, noteOffset, type Precaution } from '../index.js'
import { writeShared, writeShared32 } from '../memory/state.js'

interface Request {
  readonly without?: Precaution
  readonly arrivals?: 'at-step' | 'chosen'
  /** What the other CPU runs in Xen, in the place of its loop in a guest. */
  readonly other?: string
  /** What CPU 0 does before it crashes. */
  readonly earlier?: string
  /** Where the search ends. */
  readonly end?: string
}

/** Xen under FRED on two CPUs: CPU 0 is about to call kexec_crash, CPU 1 loops in a guest. */
function shootdown({ without, arrivals = 'chosen', other, earlier = '' }: Request = {}) {
  const plugins = [isa(), idt(), fred(), xen(), apic(), kexec(), explore(), kexecSearch()]
  const machine = createMachine({ cpu: 'panther-lake', cpus: 2, plugins })
  const boot = machine.boot('xen', { delivery: 'fred' })
  loadCrashImage(machine, { precautions: without === undefined ? {} : { [without]: false } })
  setArrivals(machine, arrivals)
  const host = boot.sites.host!
  const guest = boot.sites.guest!
  const source = `${earlier}\ncall kexec_crash\nother: ${other ?? 'hlt'}`
  const program = assemble(source, { origin: host.origin, symbols: Object.fromEntries(boot.labels) })
  const space = machine.space(0n)
  space.write(host.origin, program.bytes)
  space.write(guest.origin, assemble('busy: jmp busy', { origin: guest.origin }).bytes)
  const [first, second] = machine.cpus
  host.enter(first!)
  if (other === undefined) guest.enter(second!)
  else {
    host.enter(second!)
    second!.rip = program.labels.get('other')!
  }
  return { machine, boot, label: (name: string) => boot.labels.get(name)! }
}

function searched(request: Request, reductions: readonly string[], maxEvents = 0) {
  const { machine, boot, label } = shootdown(request)
  return search(machine, boot, {
    events: [NMI_EVENT],
    eventCpus: [0],
    maxEvents,
    deadStacks: true,
    invariants: ['nmi-containment', 'no-clobber', 'good-stack', 'no-shutdown', 'crash-note', 'crash-report'],
    atEnd: ({ rip }) => rip === label(request.end ?? 'machine_kexec'),
    reductions,
  })
}

const broken = ({ violations }: ReturnType<typeof search>) =>
  new Set(violations.map(({ invariant, cpu }) => `${invariant} on CPU ${cpu}`))

describe('the reduction of the shootdown', () => {
  test('K1, K2: what is left out changes neither what is found nor how it ends, in fewer states', () => {
    const full = searched({}, [])
    const reduced = searched({}, ['kexec'])
    for (const found of [full, reduced]) expect(found).toMatchObject({ complete: true, violations: [] })
    expect(reduced.terminals).toEqual(full.terminals)
    expect(reduced.states).toBeLessThan(full.states / 50)
  })

  test('K1, K2, K4: with an NMI anywhere in the crashing CPU it is broken only where that CPU does not ignore it', () => {
    expect(searched({}, ['kexec'], 1)).toMatchObject({ complete: true, violations: [] })
    const without = searched({ without: 'crashingCpuIgnoresNmi' }, ['kexec'], 1)
    expect(broken(without)).toEqual(new Set(['crash-note on CPU 0']))
  })

  test('what it takes for granted is judged: another CPU crashes as well', () => {
    expect(broken(searched({ other: 'call kexec_crash' }, ['kexec']))).toEqual(new Set(['one-crash on CPU 1']))
  })

  test('… CPU 0 sends something before, or the search goes on where it leaves Xen', () => {
    const earlier = 'mov ecx, 0x830\nmov eax, 0x4400\nmov edx, 1\nwrmsr'
    for (const request of [{ earlier }, { end: 'kexec_nmis_enabled' }]) {
      expect(broken(searched(request, ['kexec']))).toEqual(new Set(['crashes-at-once on CPU 0']))
    }
  })

  test('IPIs that arrive at the next step are refused, with what to do', () => {
    const attempt = () => searched({ arrivals: 'at-step' }, ['kexec'])
    expect(attempt).toThrow(UserError)
    expect(attempt).toThrow(/needs IPIs that arrive when the search chooses/)
  })

  test('a reduction that nobody knows is refused, with those that there are', () => {
    expect(() => searched({}, ['kexek'])).toThrow('unknown reduction "kexek"')
  })
})

/** The shootdown, up to where a CPU is about to come to a label. */
function before(cpu: number, label: string, bytes: number) {
  const set = shootdown({ arrivals: 'at-step' })
  const { machine, boot } = set
  const place = boot.labels.get(label)! - BigInt(bytes)
  for (let n = 0; machine.cpus[cpu]!.rip !== place; n++) {
    if (n === 2000) throw new Error(`CPU ${cpu} does not come to ${label}`)
    for (const one of machine.cpus) if (!one.halted && machine.cpus[cpu]!.rip !== place) machine.step(one.id)
  }
  return set
}

const WRMSR_BYTES = 2

describe.each([
  [
    'crash-note',
    invariantContract({
      invariant: 'crash-note',
      setUp: () => before(1, 'kexec_acknowledge', WRMSR_BYTES),
      obey: ({ machine }) => void machine.step(1),
      violate: ({ machine }) => {
        const rip = noteOf(1) + BigInt(noteOffset('rip'))
        machine.space(0n).write64(rip, machine.space(0n).read64(rip) + 1n)
        machine.step(1)
      },
    }),
  ],
  [
    'crash-report',
    invariantContract({
      invariant: 'crash-report',
      setUp: () => before(0, 'kexec_report', 0),
      obey: ({ machine }) => void machine.step(0),
      violate: ({ machine }) => {
        writeShared(machine, 'waiting_to_crash', 2n)
        machine.step(0)
      },
    }),
  ],
])('%s keeps the contract of invariants', (_, checks) => {
  test.each(checks.map((check) => [check.title, check] as const))('%s', (_title, check) => {
    expect(contractFindings([check])).toEqual([])
  })
})

test('K4: a CPU that acknowledges without a note is found', () => {
  const { machine, boot } = before(1, 'kexec_acknowledge', WRMSR_BYTES)
  machine.space(0n).write(noteOf(1), new Uint8Array(NOTE_BYTES))
  machine.step(1)
  const found = checkInvariants(machine, boot, ['crash-note']).map(({ message }) => message)
  expect(found).toEqual(['CPU 1 acknowledges and leaves no note'])
})

test('without a crash image an NMI leaves nothing that could tell states apart', () => {
  const { machine } = shootdown()
  machine.space(0n).write(machine.cpu.rip, Uint8Array.of(0x90))
  const { slot, words } = machine.layout.regions.get('kexec/interrupted')!
  const remembered = (loaded: boolean): boolean => {
    const start = machine.snapshot()
    if (!loaded) writeShared32(machine, 'crash_image', 0)
    pendNmi(machine.cpu)
    machine.step(0)
    const some = machine.cpu.words.subarray(slot, slot + words).some((word) => word !== 0)
    machine.restore(start)
    return some
  }
  expect([remembered(true), remembered(false)]).toEqual([true, false])
})
