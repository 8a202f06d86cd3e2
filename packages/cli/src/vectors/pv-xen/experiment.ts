import { GPR_NAMES, type GprName } from '@trapframe/core'
import { hex, number } from './number.js'
import { type Operation, readOperations } from './operation.js'
import { count, hexBytes, type Json, list, object, text, word } from './read.js'

export type Delivery = 'idt' | 'fred'
export type RecordedCpu = 'intel' | 'amd'

/** How the handlers go back, and how often. */
export interface Resumption {
  readonly count: number
  readonly skipBytes: bigint
  readonly iretFlags: bigint
}

/** What is done, in order. */
export interface SetUp {
  readonly bytes: Uint8Array
  readonly start: Readonly<Record<'rip' | 'cs' | 'rflags' | 'rsp' | 'ss', bigint>>
  /** General registers at the start, but RSP. */
  readonly registers: Readonly<Partial<Record<GprName, bigint>>>
  readonly iretFlags: bigint
  readonly before: readonly Operation[]
  readonly after: readonly Operation[]
  readonly resume: Resumption | null
}

/** A recorded value: how it is written, and, where it is a number, which. */
export interface Recorded {
  readonly field: string
  readonly text: string
  readonly value: bigint | null
}

/** What was seen of one entry into the guest's kernel, field by field in the order of comparison. */
export type RecordedEvent = readonly Recorded[]

/** What was seen. */
export interface Seen {
  readonly setupResults: readonly Recorded[]
  readonly afterResults: readonly Recorded[]
  readonly events: readonly RecordedEvent[]
  readonly outcome: 'ok' | 'domain-crash'
  readonly crash: readonly Recorded[] | null
}

/** One line: an experiment and what a real guest saw of it. */
export interface Experiment {
  readonly id: string
  readonly delivery: Delivery
  readonly cpu: RecordedCpu
  readonly mode: 'user' | 'kernel'
  readonly setUp: SetUp
  readonly seen: Seen
}

/** What the general registers hold before each experiment. */
const INITIAL: Readonly<Partial<Record<GprName, bigint>>> = {
  rax: 0xaaaa_0000_bbbb_1111n,
  ...Object.fromEntries(
    (['rcx', 'rdx', 'rbx', '', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const)
      .map((name, i) => [name, BigInt(i + 1) * 0x1111_1111_1111_1111n] as const)
      .filter(([name]) => name !== ''),
  ),
}

/** The experiment of a line. @throws Error naming the part that is wrong */
export function readExperiment(line: Json): Experiment {
  const setUp = readSetUp(object(line.setup, 'setup'))
  return {
    id: text(line.id, 'id'),
    delivery: word(line.delivery, 'delivery', ['idt', 'fred']),
    cpu: word(line.cpu, 'cpu', ['intel', 'amd']),
    mode: word(line.mode, 'mode', ['user', 'kernel']),
    setUp,
    seen: readSeen(object(line.seen, 'seen'), setUp.registers),
  }
}

/** Code fits behind its place in the page. */
const MOST_BYTES = 0x800

function readSetUp(setup: Json): SetUp {
  const start = object(setup.start, 'setup.start')
  const bytes = hexBytes(setup.bytes, 'setup.bytes')
  if (bytes.length > MOST_BYTES) throw new Error(`setup.bytes is longer than ${MOST_BYTES} bytes`)
  if (setup.bits !== 64 && setup.bits !== 32) throw new Error('setup.bits is neither 64 nor 32')
  const given = Object.entries(object(start.regs ?? {}, 'setup.start.regs')).map(
    ([name, value]) => [register(name, 'setup.start.regs'), number(value, `setup.start.regs.${name}`)] as const,
  )
  return {
    bytes,
    start: {
      rip: number(start.rip, 'setup.start.rip'),
      cs: number(start.cs, 'setup.start.cs'),
      rflags: number(start.rflags, 'setup.start.rflags'),
      rsp: number(start.rsp, 'setup.start.rsp'),
      ss: number(start.ss, 'setup.start.ss'),
    },
    registers: { ...INITIAL, ...Object.fromEntries(given) },
    iretFlags: number(setup.iretFlags, 'setup.iretFlags'),
    before: readOperations(setup.before, 'setup.before'),
    after: readOperations(setup.after, 'setup.after'),
    resume: setup.resume === undefined ? null : readResumption(object(setup.resume, 'setup.resume')),
  }
}

const MOST_RETURNS = 64

const readResumption = (resume: Json): Resumption => ({
  count: count(resume.count, 'setup.resume.count', MOST_RETURNS),
  skipBytes: BigInt(count(resume.skipBytes, 'setup.resume.skipBytes', MOST_BYTES)),
  iretFlags: number(resume.iretFlags, 'setup.resume.iretFlags'),
})

function register(name: string, what: string): GprName {
  if (name !== 'rsp' && GPR_NAMES.includes(name as GprName)) return name as GprName
  throw new Error(`${what} has no general register of an experiment: "${name}"`)
}

function readSeen(seen: Json, registers: SetUp['registers']): Seen {
  const outcome = word(seen.outcome, 'seen.outcome', ['ok', 'domain-crash'])
  return {
    setupResults: results(seen.setupResults, 'setupResults'),
    afterResults: seen.afterResults === undefined ? [] : results(seen.afterResults, 'afterResults'),
    events: list(seen.events, 'seen.events').map((event, i) =>
      readEvent(object(event, `seen.events[${i}]`), `events[${i}]`, registers),
    ),
    outcome,
    crash: outcome === 'ok' ? null : readCrash(object(seen.crash, 'seen.crash')),
  }
}

/** A result is a hex number, or a negative one as JSON has it. */
const results = (value: unknown, field: string): Recorded[] =>
  list(value, `seen.${field}`).map((item, i) => {
    const here = `${field}[${i}]`
    if (typeof item === 'number' && Number.isInteger(item)) return { field: here, text: `${item}`, value: BigInt(item) }
    return recorded(here, item)
  })

const recorded = (field: string, value: unknown): Recorded => ({
  field,
  text: String(value),
  value: number(value, `seen.${field}`),
})
const literal = (field: string, value: unknown): Recorded => ({
  field,
  text: text(value, `seen.${field}`),
  value: null,
})

const FRAME = ['rcx', 'r11', 'errorCode', 'rip', 'cs', 'savedUpcallMask', 'rflags', 'rsp', 'ss'] as const
/** Whole slots, written down only where more than the selector is in them. */
const WHOLE_SLOTS = ['csQword', 'ssQword'] as const
const SELECTORS = ['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const
/** What a field is where it is left out. */
const ABSENT = 'none'

const ENTRY = /^(trap:0x[0-9a-f]{1,2}|callback:[a-z0-9]+|end)$/
const FAULT = /^fault:0x[0-9a-f]{1,2}$/

function readEvent(event: Json, at: string, registers: SetUp['registers']): RecordedEvent {
  const frame = object(event.frame, `seen.${at}.frame`)
  const regs = object(event.regs, `seen.${at}.regs`)
  for (const name of Object.keys(regs)) register(name, `seen.${at}.regs`)
  const entry = literal(`${at}.entry`, event.entry)
  if (!ENTRY.test(entry.text)) throw new Error(`seen.${at}.entry is no entry: "${entry.text}"`)
  const small = (field: string, value: unknown): Recorded => {
    const n = count(value, `seen.${field}`, 255)
    return { field, text: `${n}`, value: BigInt(n) }
  }
  const frameField = (name: (typeof FRAME)[number]): Recorded => {
    const field = `${at}.frame.${name}`
    const value = frame[name]
    if (name === 'savedUpcallMask') return small(field, value)
    if (name === 'errorCode' && value === undefined) return { field, text: ABSENT, value: null }
    return recorded(field, value)
  }
  const slot = (name: (typeof WHOLE_SLOTS)[number]): Recorded => {
    const field = `${at}.frame.${name}`
    return frame[name] === undefined ? { field, text: ABSENT, value: null } : recorded(field, frame[name])
  }
  const gpr = (name: GprName): Recorded => {
    const field = `${at}.regs.${name}`
    if (regs[name] !== undefined) return recorded(field, regs[name])
    const value = registers[name]!
    return { field, text: hex(value), value }
  }
  const gs = `${at}.gsQword`
  return [
    entry,
    event.name === undefined ? { field: `${at}.name`, text: ABSENT, value: null } : literal(`${at}.name`, event.name),
    { field: `${at}.fromMode`, text: word(event.fromMode, `seen.${at}.fromMode`, ['user', 'kernel']), value: null },
    recorded(`${at}.frameAt`, event.frameAt),
    ...FRAME.map(frameField),
    ...WHOLE_SLOTS.map(slot),
    ...GPR_NAMES.filter((name) => name !== 'rsp').map(gpr),
    recorded(`${at}.rflags`, event.rflags),
    ...SELECTORS.map((name) => recorded(`${at}.${name}`, event[name])),
    small(`${at}.upcallMask`, event.upcallMask),
    small(`${at}.upcallPending`, event.upcallPending),
    recorded(`${at}.cr2`, event.cr2),
    recorded(`${at}.fsBase`, event.fsBase),
    recorded(`${at}.gsBase`, event.gsBase),
    recorded(`${at}.kernelGsBase`, event.kernelGsBase),
    FAULT.test(String(event.gsQword)) ? literal(gs, event.gsQword) : recorded(gs, event.gsQword),
    recorded(`${at}.dr6`, event.dr6),
  ]
}

const CRASH_NUMBERS = ['cs', 'rip', 'rflags', 'rsp', 'ss'] as const

function readCrash(crash: Json): readonly Recorded[] {
  const optional = (name: string, read: (field: string, value: unknown) => Recorded): Recorded =>
    crash[name] === undefined
      ? { field: `crash.${name}`, text: ABSENT, value: null }
      : read(`crash.${name}`, crash[name])
  return [
    literal('crash.reason', crash.reason),
    optional('unhandled', literal),
    optional('faultAddress', recorded),
    ...CRASH_NUMBERS.map((name) => recorded(`crash.${name}`, crash[name])),
  ]
}
