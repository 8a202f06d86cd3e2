// How fast a search goes and what a state costs: a ring 3 program with INT n on the flat hosts, a system call on Xen, and the NMI
// shootdown on two CPUs, with events nested at every instruction boundary. Each is searched for a moment first, for the compiler.
import { apic, setArrivals } from '@trapframe/apic'
import { createMachine } from '@trapframe/core'
import { DEBUG_EVENT, explore, interruptEvent, MACHINE_CHECK_EVENT, NMI_EVENT, search } from '@trapframe/explore'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import { kexec, kexecSearch, loadCrashImage } from '@trapframe/kexec'
import { xen } from '@trapframe/xen'

const NOP = 0x90
const plugins = () => [isa(), idt(), fred(), xen(), explore()]
const EVENTS = [NMI_EVENT, DEBUG_EVENT, interruptEvent(0x21)]

/** Instructions of one byte, INT 0x80 in their middle. */
function flat(delivery, { cpus = 1, length = 8000 } = {}) {
  const machine = createMachine({ cpu: 'panther-lake', cpus, plugins: plugins() })
  const boot = machine.boot(`flat-${delivery}`)
  const { origin } = boot.sites.guest
  const code = new Uint8Array(2 * length + 2).fill(NOP)
  code.set([0xcd, 0x80], length)
  machine.space(0n).write(origin, code)
  const end = origin + BigInt(code.length)
  for (const cpu of machine.cpus) boot.sites.guest.enter(cpu)
  return { machine, boot, atEnd: (cpu) => cpu.rip === end }
}

/** mov rsp, 0x7fff0000; syscall, and nothing after it. */
function xenSyscall(delivery) {
  const machine = createMachine({ cpu: 'panther-lake', plugins: plugins() })
  const boot = machine.boot('xen', { delivery, options: { smap: false, shadowStacks: false } })
  const { guest } = boot.sites
  guest.enter(machine.cpu)
  const code = Uint8Array.of(0x48, 0xc7, 0xc4, 0x00, 0x00, 0xff, 0x7f, 0x0f, 0x05)
  machine.cpu.space.write(guest.origin, code)
  const end = guest.origin + BigInt(code.length)
  return { machine, boot, atEnd: (cpu) => cpu.rip === end }
}

/** CPU 0 crashes, the other one loops in a guest; in every interleaving, or as its scenario is searched. */
function shootdown(reductions) {
  const machine = createMachine({
    cpu: 'panther-lake',
    cpus: 2,
    plugins: [...plugins(), apic(), kexec(), kexecSearch()],
  })
  const boot = machine.boot('xen', { delivery: 'fred' })
  loadCrashImage(machine)
  setArrivals(machine, 'chosen')
  const { host, guest } = boot.sites
  const symbols = { kexec_crash: boot.labels.get('kexec_crash') }
  machine.space(0n).write(host.origin, assemble('call kexec_crash', { origin: host.origin, symbols }).bytes)
  machine.space(0n).write(guest.origin, assemble('busy: jmp busy', { origin: guest.origin }).bytes)
  host.enter(machine.cpus[0])
  guest.enter(machine.cpus[1])
  const end = boot.labels.get('machine_kexec')
  return { machine, boot, atEnd: (cpu) => cpu.rip === end, reductions }
}

const SHOOTDOWN_EVENTS = [MACHINE_CHECK_EVENT, NMI_EVENT, interruptEvent(0x40)]

const SEARCHES = [
  ['flat-idt, 3 events, depth 3', () => flat('idt'), { maxEvents: 3 }],
  ['flat-fred, 3 events, depth 3', () => flat('fred'), { maxEvents: 3 }],
  ['flat-fred, without straight lines', () => flat('fred'), { maxEvents: 3, straightLines: false }],
  ['flat-fred, 2 CPUs, depth 2', () => flat('fred', { cpus: 2, length: 30 }), { maxEvents: 2 }],
  ['Xen fred, syscall, depth 2', () => xenSyscall('fred'), { maxEvents: 2 }],
  ['shootdown, every interleaving', () => shootdown([]), { maxEvents: 1, events: SHOOTDOWN_EVENTS }],
  ['shootdown, as its scenario', () => shootdown(['kexec']), { maxEvents: 2, events: SHOOTDOWN_EVENTS }],
]
const WARM_UP_SECONDS = 2
const MOST_SECONDS = 8
const VARIANTS = [
  ['breadth first', {}],
  ['depth first', { strategy: 'depth-first' }],
]

const rows = []
for (const [name, make, options] of SEARCHES) {
  for (const [variant, extra] of VARIANTS) {
    const searched = (maxSeconds) => {
      const { machine, boot, ...given } = make()
      const common = { events: EVENTS, deadStacks: true, maxViolations: 1000, maxSeconds }
      return search(machine, boot, { ...common, ...given, ...options, ...extra })
    }
    searched(WARM_UP_SECONDS)
    const before = process.cpuUsage()
    const found = searched(MOST_SECONDS)
    const { user, system } = process.cpuUsage(before)
    const seconds = (user + system) / 1e6
    rows.push([
      `${name}, ${variant}`,
      String(found.states),
      String(found.passed),
      String(found.transitions),
      found.dedupeRate.toFixed(2),
      (found.transitions / seconds / 1000).toFixed(0),
      ((found.states + found.passed) / seconds / 1000).toFixed(0),
      found.memory.bytesPerState.toFixed(0),
      found.complete ? 'complete' : found.stopped.join(),
      String(found.violations.length),
    ])
  }
}
print(
  ['search', 'states', 'passed', 'transitions', 'known', 'k trans/s', 'k states/s', 'bytes/state', 'end', 'violations'],
  rows,
)

/** The first column to the left, numbers to the right. */
function print(head, lines) {
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((row) => row[column].length)))
  const line = (row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column] + 2))).join('')
  console.log(`\n${[head, ...lines].map(line).join('\n')}`)
}
