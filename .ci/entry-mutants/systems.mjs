// The hosts whose code is mutated, and the programs that make them go through it.
import { linux } from '../../examples/linux-host/plugin.mjs'
import {
  CS,
  codeAccess32,
  createMachine,
  definePlugin,
  HALTED,
  IDTR,
  PAGE_EXECUTABLE,
  PAGE_USER,
  pendInterrupt,
  pendNmi,
  STATUS,
  TR,
  writeMsr,
} from '../../packages/core/dist/index.js'
import {
  DEBUG_EVENT,
  explore,
  interruptEvent,
  MACHINE_CHECK_EVENT,
  NMI_EVENT,
} from '../../packages/explore/dist/index.js'
import { fred, IA32_FRED_RSP0 } from '../../packages/fred/dist/index.js'
import { idt } from '../../packages/idt/dist/index.js'
import { assemble, isa } from '../../packages/isa/dist/index.js'
import {
  FLAT_USER_CS32,
  FLAT_USER_CS64,
  FLAT_USER_SS,
  gdtBase,
  PV_INTERFACE,
  refusedGate,
  xen,
} from '../../packages/xen/dist/index.js'

const INTERRUPT = interruptEvent(0x21)
/** An interrupt whose handler leaves work for a softirq. */
const INTERRUPT_WITH_SOFTIRQ = {
  ...INTERRUPT,
  name: 'interrupt 0x21 with a softirq',
  inject(cpu) {
    raiseSoftirq(cpu)
    return INTERRUPT.inject(cpu)
  },
}

/** A system call by which the kernel's flags become such as no guest has. */
const FORBIDDEN = 0xf1a65n
const IOPL_3 = 0x3000n
const FLAG_RF = 0x1_0000n
/** One by which they become such as no return loads. */
const IMPOSSIBLE = 0xbadn
const RESERVED_FLAG = 0x8000n
const FLAG_IF = 0x200n

/** A place in the GDT for a stack segment that comes and goes. */
const SELECTOR = 0xe0a3
const DESCRIPTOR = gdtBase(1) + BigInt(SELECTOR & ~7)
const PRESENT = 0x00cf_f300_0000_ffffn
const ABSENT = 0x00cf_7300_0000_ffffn

/** The first address that is not canonical: where SYSCALL at the end of memory would go back to. */
const NO_ADDRESS = 0x8000_0000_0000n

let softirqPending = 0n
/** Work for a softirq that the CPU has not done yet: what the handler of an interrupt leaves, without saying so. */
const raiseSoftirq = ({ machine }) => machine.space(0n).write(softirqPending, Uint8Array.of(1))

/** While the first word of Xen's data is not 0 something waits for the guest; one is delivered at a time. */
let waiting = 0n

/**
 * A kernel in ring 3, seen from Xen: calls have results, faults are repaired, and a stack segment that went away comes
 * back. RBX says where to go on where RIP is none.
 */
const KERNEL = {
  handle({ machine, cpu, regs }, event) {
    const { kind, vector } = event
    const skip = (bytes) => regs.set('rip', regs.get('rip') + bytes)
    if (kind === 'sysenter') {
      regs.set('rip', regs.get('rdx'))
      regs.set('rflags', regs.get('rflags') | FLAG_RF)
      regs.set('rsp', regs.get('rcx'))
      regs.set('cs', BigInt(FLAT_USER_CS64))
      regs.set('ss', BigInt(FLAT_USER_SS))
    } else if (kind !== 'exception') {
      const flags = regs.get('rflags')
      if (regs.get('rax') === FORBIDDEN) {
        regs.set('rflags', (flags | IOPL_3 | FLAG_RF) & ~(cpu.mechanism.name === 'idt' ? FLAG_IF : 0n))
      } else if (regs.get('rax') === IMPOSSIBLE) regs.set('rflags', flags | RESERVED_FLAG)
      regs.set('rax', 0x1000n + BigInt(vector ?? 0))
      if (Number(regs.get('ss') & 0xffffn) === SELECTOR) machine.space(0n).write64(DESCRIPTOR, ABSENT)
    } else if (vector === 6 || refusedGate(event) !== null) skip(2n)
    else if (machine.space(0n).read64(DESCRIPTOR) === ABSENT) machine.space(0n).write64(DESCRIPTOR, PRESENT)
    else if (vector === 13 && regs.get('rip') >> 47n !== 0n) regs.set('rip', regs.get('rbx'))
    else if (vector === 13 || vector === 14) skip(3n)
    return 'resume'
  },
  beforeReturn({ machine }) {
    const space = machine.space(0n)
    const count = space.read64(waiting)
    if (count === 0n) return 'resume'
    space.write64(waiting, count - 1n)
    return 'again'
  },
}

const kernel = definePlugin({
  name: 'entry-mutants',
  requires: ['xen'],
  setup: (host) => host.add(PV_INTERFACE, 'entry-mutants', KERNEL, { precedence: 1 }),
})

/** What no host may take for its own: the flags that a program can set and go on with, and a value for each register. */
const USER_FLAGS = 0x44ed7n // CF PF AF ZF SF IF DF NT AC, reserved bit 1
const VALUE = 0x6775_6573_7400_0000n
const setRegisters = (cpu) => {
  for (let n = 0; n < 16; n++) if (n !== 4) cpu.setGpr(n, VALUE + BigInt(n))
}

const FLAT = { base: 0n, limit: 0xffff_ffff }
function enter32({ cpu }) {
  cpu.setSegment(CS, { ...FLAT, selector: FLAT_USER_CS32, access: codeAccess32(3) })
  cpu.setCodeSize()
}

const LAST_PAGE = 0x7fff_ffff_f000n
/** SYSCALL as the last instruction that there is: RCX becomes an address that is not canonical. */
function syscallAtTheEnd({ machine, cpu }) {
  machine.space(0n).map(LAST_PAGE, PAGE_USER | PAGE_EXECUTABLE, 1, 0x0f00_0000n)
  machine.space(0n).write(LAST_PAGE + 0xffen, Uint8Array.of(0x0f, 0x05))
  cpu.rip = LAST_PAGE + 0xffen
}

/** Events that come before the others: what comes then may come in their handlers. */
const FIRST_EVENTS = [
  ['an NMI', pendNmi],
  ['an interrupt', (cpu) => pendInterrupt(cpu, 0x21)],
].map(([name, pend]) => ({ name, code: 'nop\nend: nop', prepare: ({ cpu }) => pend(cpu) }))

/** Where nothing is: the stack for events of ring 3, then. */
const NOWHERE = 0x1000n
const DOUBLE_FAULTS = [
  { name: 'double fault in ring 0', site: 'host', code: 'std\nxor esp, esp\nud2\nend: nop', events: 0, panics: true },
  {
    name: 'double fault',
    code: 'ud2\nend: nop',
    panics: true,
    prepare({ machine, boot, cpu }) {
      if (boot.delivery === 'fred') writeMsr(cpu, IA32_FRED_RSP0, NOWHERE)
      else machine.space(0n).write64(cpu.segment(TR).base + 4n, NOWHERE)
    },
  },
]

/** The gate of INT 82h is for ring 1, where 32-bit guests are; the code behind it does not ask. */
function openGate({ machine, cpu, boot }) {
  if (boot.delivery !== 'idt') return
  const access = cpu.get64(IDTR) + 0x82n * 16n + 5n
  machine.space(0n).write(access, Uint8Array.of(0xee))
}

/** Programs end at `end`. `events` is how many are tried on a path, 1 where it is left out. */
const XEN_PROGRAMS = [
  { name: 'syscall', code: 'syscall\nend: nop' },
  { name: 'int 80', code: 'int 0x80\nend: nop' },
  { name: 'int 82', code: 'int 0x82\nend: nop', prepare: openGate },
  {
    name: 'faults',
    code: 'ud2\nmov rax, [rcx]\nmov rax, [rsi]\nend: nop',
    prepare: ({ cpu }) => cpu.setGpr(1, 0x1000n),
  },
  {
    name: 'work before the return',
    code: 'syscall\nend: nop',
    prepare({ machine, cpu }) {
      raiseSoftirq(cpu)
      machine.space(0n).write64(waiting, 2n)
    },
  },
  {
    name: 'a stack segment that goes away',
    code: 'mov ss, ecx\nint 0x80\nend: nop',
    prepare({ machine, cpu }) {
      cpu.setGpr(1, BigInt(SELECTOR))
      machine.space(0n).write64(DESCRIPTOR, PRESENT)
    },
  },
  {
    name: 'syscall at the end of memory',
    code: 'end: nop',
    prepare(system) {
      syscallAtTheEnd(system)
      system.cpu.setGpr(3, system.boot.sites.guest.origin)
    },
  },
  ...['sysenter', 'sysenter, back to no address'].map((name) => ({
    name,
    code: 'sysenter\nend: nop',
    events: name === 'sysenter' ? 1 : 0,
    prepare({ cpu, end }) {
      cpu.setGpr(1, cpu.rsp)
      cpu.setGpr(2, name === 'sysenter' ? end : NO_ADDRESS)
      cpu.setGpr(3, end)
    },
  })),
  {
    name: 'a return that cannot be',
    under: 'fred',
    code: 'int 0x80\nend: nop',
    prepare: ({ cpu }) => cpu.setGpr(0, IMPOSSIBLE),
  },
  ...FIRST_EVENTS,
  ...[
    ['syscall', 'syscall'],
    ['int 80', 'int 0x80'],
  ].map(([name, code]) => ({
    name: `${name}, with flags that no guest gets`,
    code: `${code}\nend: nop`,
    events: 0,
    prepare: ({ cpu }) => cpu.setGpr(0, FORBIDDEN),
  })),
  { name: 'in ring 0', site: 'host', code: 'int3\ncli\nint3\nnop\nend: nop' },
  ...DOUBLE_FAULTS,
]

const LINUX_PROGRAMS = [
  { name: 'syscall', code: 'syscall\nend: nop', prepare: ({ cpu }) => cpu.setGpr(0, 39n) },
  { name: 'int 80', code: 'int 0x80\nend: nop', prepare: ({ cpu }) => cpu.setGpr(0, 20n) },
  { name: 'ud2', code: 'ud2\nend: nop' },
  { name: 'page fault', code: 'mov rax, [rcx]\nend: nop', prepare: ({ cpu }) => cpu.setGpr(1, 0x1000n) },
  ...[
    ['elsewhere', 1, { further: 3n }],
    ['with other flags', 0, { rflags: 0x202n }],
    ['without a code segment', 0, { cs: 3n }],
    ['without a stack segment', 1, { ss: 3n }],
    ['to no address', 0, { rip: 0x8000_0000_0000_0000n }],
  ].map(([name, events, { further = 0n, ...change }]) => ({
    events,
    name: `sigreturn ${name}`,
    code: 'syscall\nend: nop\nnop\nnop\nnop\nnop\nnop\nnop\njmp end',
    prepare({ machine, cpu, end }) {
      cpu.setGpr(0, 15n)
      const frame = {
        rip: end + further,
        cs: BigInt(cpu.segment(1).selector),
        rflags: cpu.rflags,
        rsp: cpu.rsp,
        ss: BigInt(cpu.segment(2).selector),
        ...change,
      }
      cpu.rsp -= 0x100n
      for (const [n, value] of Object.values(frame).entries())
        machine.space(0n).write64(cpu.rsp + 8n * BigInt(n), value)
    },
  })),
  {
    name: 'syscall, single-stepped',
    code: 'syscall\nend: nop',
    prepare({ cpu }) {
      cpu.setGpr(0, 39n)
      cpu.rflags |= 0x100n
    },
  },
  { name: 'syscall at the end of memory', code: 'end: nop', prepare: syscallAtTheEnd },
  ...['another stack than the task’s', 'another stack than the task’s, and an NMI'].map((name) => ({
    name,
    under: 'fred',
    code: 'syscall\nend: nop',
    prepare({ machine, cpu, boot }) {
      const other = boot.labels.get('other_task_stack_1')
      writeMsr(cpu, IA32_FRED_RSP0, other)
      machine.space(0n).write64(boot.labels.get('fred_rsp0_1'), other)
      if (name.endsWith('NMI')) pendNmi(cpu)
    },
  })),
  { name: 'in ring 0', site: 'host', code: 'nop\nsti\nnop\nend: nop' },
  { name: 'int 80 in ring 0', under: 'idt', site: 'host', code: 'int 0x80\nend: nop' },
  ...FIRST_EVENTS,
  ...DOUBLE_FAULTS,
]

/** C functions of a host by address; those of Xen have a label of this form where they run. */
const FUNCTIONS = {
  xen: (labels) => [...labels].filter(([name]) => name.endsWith('.c')).map(([name, at]) => [at, name.slice(0, -2)]),
  linux: (labels) =>
    [
      'fred_from_user',
      'fred_from_kernel',
      'idt_dispatch',
      'int80_system_call',
      'system_call',
      'fixup_bad_iret',
      'schedule',
    ].map((name) => [labels.get(name), name]),
}

/** The stubs of vectors that programs meet; the others differ in the number and nothing else. */
const XEN_STUBS = ['UD', 'SS', 'GP', 'PF', 'NMI', 'DB', 'MC', 'DF', 'int80', 'int82', 'vec_21', 'vec_fc'].map(
  (n) => `entry_${n}`,
)
const LINUX_STUBS = ['ud', 'gp', 'pf', 'nmi', 'db', 'mc', 'df', '0x80', '0x21'].map((n) => `idt_entry_${n}`)

const TRAMPOLINE_BYTES = 0x1cn
const JE_BYTES = 2n
/** What only the change of page tables has, by its text. */
const OF_PAGE_TABLES = /(?<!xor r14d, )r14[ ,-]|cr3|^mov r15|^test (rcx, rcx|rax, rax|bl, bl)$|^je/

/**
 * Hosts, with their entry and exit code as ranges of labels, and of a few with an option or on another CPU the code that the
 * others do not come to.
 */
const ALL = [
  {
    host: 'xen',
    delivery: 'idt',
    programs: XEN_PROGRAMS,
    stubs: XEN_STUBS,
    ranges: [
      ['lstar_trampoline_1', ['lstar_trampoline_1', TRAMPOLINE_BYTES]],
      ['handle_exception', 'cstar_enter'],
      ['sysenter_entry', ['sysretq_guest', -JE_BYTES]],
      ['sysretq_guest', 'sysretl_guest'],
      ['iret_exit_to_guest', 'exception_table'],
    ],
  },
  {
    // On AMD's: Intel's have no SYSCALL in 32-bit code.
    id: 'xen-idt-32',
    host: 'xen',
    delivery: 'idt',
    cpu: 'zen6',
    programs: [{ name: 'syscall of 32-bit code', code: 'syscall\nend: nop', prepare: enter32 }],
    ranges: [
      ['cstar_trampoline_1', ['cstar_trampoline_1', TRAMPOLINE_BYTES]],
      ['cstar_enter', 'sysenter_entry'],
      [['sysretq_guest', -JE_BYTES], 'sysretq_guest'],
      ['sysretl_guest', 'iret_exit_to_guest'],
    ],
  },
  {
    id: 'xen-idt-xpti',
    host: 'xen',
    delivery: 'idt',
    options: { xpti: true },
    programs: XEN_PROGRAMS,
    ranges: [
      ['handle_exception', 'handle_int82'],
      ['lstar_enter', 'cstar_enter'],
      ['sysenter_entry', ['sysretq_guest', -JE_BYTES]],
      ['iret_exit_to_guest', 'exception_table'],
    ],
    only: OF_PAGE_TABLES,
  },
  { host: 'xen', delivery: 'fred', programs: XEN_PROGRAMS, ranges: [['entry_FRED_R3', 'pv_async_event']] },
  {
    id: 'xen-fred-upstream',
    host: 'xen',
    delivery: 'fred',
    options: { revision: 'upstream' },
    programs: XEN_PROGRAMS,
    ranges: [['entry_FRED_R3', 'pv_async_event']],
  },
  {
    host: 'linux',
    delivery: 'idt',
    programs: LINUX_PROGRAMS,
    stubs: LINUX_STUBS,
    ranges: [['idt_common', ['iretq_kernel', 2n]]],
  },
  {
    // MONITORX raises #VC here, which the host goes on from without another look at its tasks: no other exception does.
    id: 'linux-idt-vc',
    host: 'linux',
    delivery: 'idt',
    cpu: 'zen6,+sev-es',
    programs: ['guest', 'host'].map((site) => ({ name: `monitorx, ${site}`, site, code: 'monitorx\nend: nop' })),
    ranges: [['idt_common', 'idt_int80']],
    only: /^je near/,
  },
  {
    host: 'linux',
    delivery: 'fred',
    programs: LINUX_PROGRAMS,
    ranges: [['entry_ring3', 'schedule']],
  },
]

/** The hosts, each by a name. */
export const SYSTEMS = ALL.map((system) => ({
  id: `${system.host}-${system.delivery}`,
  ...system,
  programs: system.programs.filter(({ under = system.delivery }) => under === system.delivery),
}))

/** The entry and exit code of a booted host, as addresses. A stub ends where the next one begins. */
export function rangesOf({ boot }, { stubs = [], ranges }) {
  const all = [...new Set(boot.labels.values())].sort((a, b) => (a < b ? -1 : 1))
  const next = (from) => all.find((address) => address > from)
  const at = (place) => {
    const [name, offset] = typeof place === 'string' ? [place, 0n] : place
    const address = boot.labels.get(name)
    if (address === undefined) throw new Error(`the host has no label ${name}`)
    return address + offset
  }
  return [
    ...stubs.map((name) => ({ from: at(name), to: next(at(name)) })),
    ...ranges.map(([from, to]) => ({ from: at(from), to: at(to) })),
  ]
}

/** Boots a host, once for all its mutants. */
export function bootSystem({ host, delivery, options = {}, cpu: model = 'panther-lake' }) {
  const plugins = [isa(), idt(), fred(), host === 'xen' ? xen() : linux, ...(host === 'xen' ? [kernel] : []), explore()]
  const machine = createMachine({ cpu: model, cpus: 2, plugins })
  const boot = machine.boot(host, { delivery, options })
  if (host === 'xen') [waiting, softirqPending] = [boot.labels.get('host_data'), boot.labels.get('softirq_pending_1')]
  return { machine, boot, functions: FUNCTIONS[host](boot.labels) }
}

/** Puts a program into a booted machine, ready to begin, on the second CPU: what belongs to the first one is all 0. */
export function enterProgram({ machine, boot }, { host }, program) {
  const [other, cpu] = machine.cpus
  other.words[STATUS] |= HALTED
  const site = boot.sites[program.site ?? 'guest']
  const { bytes, labels } = assemble(program.code, { origin: site.origin })
  machine.space(0n).write(site.origin, bytes)
  site.enter(cpu)
  const end = labels.get('end')
  setRegisters(cpu)
  if (program.site !== 'host') cpu.rflags = USER_FLAGS
  program.prepare?.({ machine, boot, cpu, end })
  return {
    ...program,
    cpu,
    end,
    most: program.events ?? 1,
    events: [NMI_EVENT, MACHINE_CHECK_EVENT, DEBUG_EVENT, host === 'xen' ? INTERRUPT_WITH_SOFTIRQ : INTERRUPT],
  }
}
