// Searches every interleaving of the NMI shootdown, with extra events at every instruction boundary of every CPU, for a way
// to break it (K1, K2, K4). Works on the built packages: run `pnpm build` first.
//
//   node .ci/kexec-interleave.mjs                        what CI runs: one event on 2 CPUs, none on 3
//   node .ci/kexec-interleave.mjs --cpus 2 --events 2 --delivery fred [--revision upstream] [--context host] [--seconds 3600]
//                                 [--without selfNmi,…] [--no-shadow-stacks] [--full] [--chosen]
//
// `--full` interleaves every instruction, `alone` or not; `--chosen` makes the arrival of each IPI a choice of its own.
// The search ends where the crashing CPU has reported and begins to leave Xen: from there on it is by itself.
import { parseArgs } from 'node:util'
import { apic, setArrivals } from '../packages/apic/dist/index.js'
import { CS, createMachine, definePlugin, NMI, OBSERVERS, RIP, SS } from '../packages/core/dist/index.js'
import {
  CONTAINMENTS,
  explore,
  INVARIANTS,
  interruptEvent,
  MACHINE_CHECK_EVENT,
  NMI_EVENT,
  search,
} from '../packages/explore/dist/index.js'
import { fred } from '../packages/fred/dist/index.js'
import { idt } from '../packages/idt/dist/index.js'
import { assemble, isa } from '../packages/isa/dist/index.js'
import {
  crashingCpu,
  isContained,
  isStopping,
  KEXEC_CONTAINMENT,
  kexec,
  loadCrashImage,
  notShotDown,
  readCrashNote,
} from '../packages/kexec/dist/index.js'
import { xen } from '../packages/xen/dist/index.js'

const { values } = parseArgs({
  options: {
    cpus: { type: 'string' },
    events: { type: 'string' },
    delivery: { type: 'string', default: 'fred' },
    revision: { type: 'string', default: 'rfc' },
    context: { type: 'string', default: 'guest' },
    without: { type: 'string', default: '' },
    seconds: { type: 'string', default: '3600' },
    'no-shadow-stacks': { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    chosen: { type: 'boolean', default: false },
  },
})

/** What NMIs have interrupted, for notes to be held against: 16 registers, RIP, RFLAGS, CS, SS. */
const INTERRUPTED = { name: 'interleave/interrupted', scope: 'cpu', bytes: 8 * 20, version: 1 }
const interrupted = (cpu) => cpu.machine.layout.regions.get(INTERRUPTED.name).slot
const GENERAL = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
]
const NOTED = [...GENERAL, 'rip', 'rflags', 'cs', 'ss']

const violation = (invariant, cpu, message) => ({ invariant, message, cpu: cpu.id })

/** A CPU that has acknowledged has left a note, and the note says what the NMI has interrupted. */
const CRASH_NOTE = {
  name: 'crash-note',
  summary: 'the note of a CPU that has acknowledged is complete and correct',
  check({ machine, cpu }) {
    if (!isContained(cpu)) return null
    const note = readCrashNote(machine, cpu.id)
    if (note === null) return violation('crash-note', cpu, `CPU ${cpu.id} acknowledged and left no note`)
    const slot = interrupted(cpu)
    const n = NOTED.findIndex((name, i) => note.registers[name] !== cpu.get64(slot + 2 * i))
    if (n < 0) return null
    const [is, was] = [note.registers[NOTED[n]], cpu.get64(slot + 2 * n)].map((value) => value.toString(16))
    return violation('crash-note', cpu, `the note says that ${NOTED[n]} was ${is}; it was ${was}`)
  },
}

/** The report names exactly those that have not acknowledged when it is made, and nobody halts in the handler unacknowledged. */
const CRASH_REPORT = {
  name: 'crash-report',
  summary: 'CPUs that did not respond are reported by number, and no others',
  check({ machine, boot, cpu }) {
    if (cpu.halted && cpu.rip > boot.labels.get('kexec_halt') && cpu.rip < boot.labels.get('kexec_nmi_end')) {
      if (!isContained(cpu)) return violation('crash-report', cpu, `CPU ${cpu.id} has stopped and not acknowledged`)
    }
    const report = boot.labels.get('kexec_report')
    const at = (BigInt(cpu.startHi >>> 0) << 32n) | BigInt(cpu.startLo >>> 0)
    if (at !== report || cpu.rip !== report + 1n || crashingCpu(machine) !== cpu.id) return null
    const missing = machine.cpus.filter((other) => other !== cpu && !isContained(other)).map(({ id }) => id)
    return missing.join() === notShotDown(machine).join()
      ? null
      : violation('crash-report', cpu, `reported ${notShotDown(machine)}, and ${missing} are missing`)
  },
}

const checks = definePlugin({
  name: 'interleave',
  requires: ['explore', 'kexec'],
  setup(host) {
    host.regions.declare(INTERRUPTED)
    host.add(CONTAINMENTS, KEXEC_CONTAINMENT.name, KEXEC_CONTAINMENT)
    host.add(INVARIANTS, CRASH_NOTE.name, CRASH_NOTE)
    host.add(INVARIANTS, CRASH_REPORT.name, CRASH_REPORT)
    host.add(OBSERVERS, 'interleave', {
      delivering(cpu, event) {
        if (event.type !== NMI || isStopping(cpu)) return
        const slot = interrupted(cpu)
        GENERAL.forEach((_, n) => void cpu.set64(slot + 2 * n, cpu.gpr(n)))
        const others = [cpu.rip, cpu.rflags, BigInt(cpu.segment(CS).selector), BigInt(cpu.segment(SS).selector)]
        others.forEach((value, n) => void cpu.set64(slot + 2 * (GENERAL.length + n), value))
      },
    })
  },
})

/** Places where a CPU reads or writes what others write, halts, waits in a loop, or returns from a handler. */
const MEETING = [
  'kexec_claim',
  'kexec_set_waiting',
  'kexec_set_callback',
  'kexec_send_nmi',
  'kexec_start_wait',
  'kexec_wait',
  'kexec_time_left',
  'kexec_waited',
  'kexec_force_unlock',
  'kexec_lock_console',
  'kexec_report',
  'kexec_unlock_console',
  'kexec_lost',
  'kexec_acknowledge',
  'kexec_halt',
  'machine_kexec',
  'iretq_xen',
  'erets_xen',
]

/**
 * Who is by himself: the crashing CPU, and, once the NMIs are sent and nothing that the handler reads changes any more, the
 * others in Xen's entry paths and in the handler, between the places where they meet. Every loop has one of these.
 */
function aloneOf(machine, boot) {
  const low = (address) => Number(BigInt.asIntN(32, address))
  const meeting = new Set(MEETING.flatMap((name) => (boot.labels.has(name) ? [low(boot.labels.get(name))] : [])))
  const pages = [boot.labels.get('restore_all_xen') & ~0xffffn, boot.labels.get('trap_nop')].map(low)
  const within = (rip) => pages.some((start) => rip >= start && rip < start + 0x4000)
  const host = low(boot.sites.host.origin)
  const [first] = machine.cpus
  return {
    cpu(cpu) {
      const rip = cpu.words[RIP]
      if (cpu.halted || meeting.has(rip)) return false
      if (cpu === first) return within(rip) || rip === host
      return within(rip) && hasSent(first)
    },
    concerns: (name, cpu) => name === `ipi ${first.id}>${cpu.id}`,
  }
}

/** The interrupt command register holds the last command, in x2APIC mode too. */
function hasSent(cpu) {
  return cpu.words[cpu.machine.layout.regions.get('apic/local').slot + 12] !== 0
}

const EVENTS = [MACHINE_CHECK_EVENT, NMI_EVENT, interruptEvent(0x40)]

/** What must hold: under the IDT a second event on an IST stack loses a frame whatever the shootdown does. */
const INVARIANTS_OF = {
  fred: ['nmi-containment', 'no-clobber', 'good-stack', 'no-shutdown', 'crash-note', 'crash-report'],
  idt: ['nmi-containment', 'good-stack', 'crash-note', 'crash-report'],
}

function explored({ cpus, events, delivery, revision, context = 'guest', without = '' }) {
  const plugins = [isa(), idt(), fred(), xen(), apic(), kexec(), explore(), checks]
  const machine = createMachine({ cpu: 'panther-lake', cpus, plugins })
  const options = { revision, ...(values['no-shadow-stacks'] ? { shadowStacks: false } : {}) }
  const boot = machine.boot('xen', { delivery, options })
  const left = without.split(',').filter((name) => name !== '')
  loadCrashImage(machine, { precautions: Object.fromEntries(left.map((name) => [name, false])) })
  const { host, guest } = boot.sites
  const program = assemble('call kexec_crash\nbusy: jmp busy', {
    origin: host.origin,
    symbols: { kexec_crash: boot.labels.get('kexec_crash') },
  })
  machine.space(0n).write(host.origin, program.bytes)
  machine.space(0n).write(guest.origin, assemble('busy: jmp busy', { origin: guest.origin }).bytes)
  for (const cpu of machine.cpus) {
    if (cpu.id === 0 || context === 'host') host.enter(cpu)
    else guest.enter(cpu)
    if (cpu.id !== 0 && context === 'host') cpu.rip = program.labels.get('busy')
  }
  if (values.chosen) setArrivals(machine, 'chosen')
  const end = boot.labels.get('machine_kexec')
  return search(machine, boot, {
    events: EVENTS,
    maxEvents: events,
    deadStacks: true,
    invariants: INVARIANTS_OF[delivery],
    atEnd: (cpu) => cpu.rip === end,
    maxSeconds: Number(values.seconds),
    ...(values.full ? {} : { alone: aloneOf(machine, boot) }),
  })
}

const one = values.cpus !== undefined || values.events !== undefined
const hosts = [
  { delivery: 'fred', revision: 'rfc' },
  { delivery: 'fred', revision: 'upstream' },
  { delivery: 'idt', revision: 'rfc' },
]
const runs = one
  ? [{ ...values, cpus: Number(values.cpus ?? 2), events: Number(values.events ?? 1) }]
  : [
      ...hosts.map((host) => ({ ...host, cpus: 2, events: 1 })),
      ...hosts.map((host) => ({ ...host, cpus: 3, events: 0 })),
    ]

let good = true
for (const run of runs) {
  const result = explored(run)
  const { states, passed, transitions, complete, seconds, violations, terminals } = result
  const what = `${run.delivery}, ${run.revision}: ${run.cpus} CPUs, ${run.events} extra events`
  const how = complete ? 'complete' : `not complete (${result.stopped.join(', ')})`
  const ends = Object.values(terminals).reduce((sum, n) => sum + n, 0)
  const counted = `${states} states, ${passed} more judged in straight lines, ${transitions} transitions, ${ends} ends`
  console.log(`${what}: ${counted}, ${seconds.toFixed(1)} s, ${how}, ${violations.length} violations`)
  for (const { invariant, message, label, path } of violations) {
    const events = path
      .filter(({ event }) => event !== null)
      .map(({ event, cpu, label: at }) => `${event} on CPU ${cpu} at ${at}`)
    console.log(`  ${invariant}: ${message}, at ${label}, after ${events.join(', ') || 'no event'}`)
  }
  if (!complete || violations.length > 0) good = false
}
process.exitCode = good ? 0 : 1
