import type { PvGuest } from '../guest/pv-guest.js'
import { compareMemory, type FrameRange } from './guest-pages.js'
import { KINDS, type Kind } from './kinds.js'
import type { Observed } from './observe.js'
import { ProgramRun } from './play.js'
import type { GuestProgram } from './program.js'

/** One value that a guest sees differently under the two deliveries. */
export interface FieldDifference {
  /** `frame.rip`, `dr6`, …; `memory` for a quadword of its memory; `answer` for what a step of the set-up came to. */
  readonly field: string
  readonly address?: bigint
  readonly idt: bigint | string | null
  readonly fred: bigint | string | null
}

/** The same moment of a program under both deliveries. */
export interface Moment {
  readonly program: GuestProgram
  /** How many entries into the guest's kernel came before. */
  readonly index: number
  /** Null where the program was over already. */
  readonly idt: Observed | null
  readonly fred: Observed | null
  /** The frame of the iret hypercall that led here: that of the start, or the one that the handler before had found. */
  readonly left: Readonly<Record<'rip' | 'cs' | 'ss' | 'rsp', bigint>>
  /** The bytes of the instruction that the frame's RIP under a delivery points to, or what lies before it. */
  bytes(delivery: 'idt' | 'fred', offset: number, length: number): Uint8Array | null
}

/** A moment at which the guests do not see the same. */
export interface Divergence {
  readonly moment: Moment
  readonly differences: readonly FieldDifference[]
  /** The kinds that tell why. */
  readonly kinds: readonly Kind[]
  /** Differences of no kind. */
  readonly unexplained: readonly FieldDifference[]
}

/** Two guests on machines that differ in the delivery, each as it is before a program. */
export interface GuestPair {
  readonly idt: PvGuest
  readonly fred: PvGuest
}

/** Told of what each of the two guests sees. */
export interface Listener {
  answered?(delivery: 'idt' | 'fred', answers: readonly (bigint | string)[]): void
  seen?(delivery: 'idt' | 'fred', seen: Observed | null): void
}

/**
 * Runs a program under both deliveries and compares all that the guest can see after every entry into its kernel (P1):
 * registers, frame, selectors, what Xen tells it, and its memory. It ends with the first moment that differs by more than
 * what the guest's own handlers mask out again (kind 1).
 *
 * @returns the moments that differ
 */
export function compareDeliveries(pair: GuestPair, program: GuestProgram, told: Listener = {}): readonly Divergence[] {
  const runs = { idt: new ProgramRun(pair.idt, program), fred: new ProgramRun(pair.fred, program) }
  told.answered?.('idt', runs.idt.answers)
  told.answered?.('fred', runs.fred.answers)
  const frames: (readonly [FrameRange, FrameRange])[] = []
  const found: Divergence[] = []
  const { rip, cs, ss, rsp } = program.start
  let left: Moment['left'] = { rip, cs: BigInt(cs), ss: BigInt(ss), rsp }
  for (let index = 0; ; index++) {
    const idt = runs.idt.next()
    told.seen?.('idt', idt)
    const fred = runs.fred.next()
    told.seen?.('fred', fred)
    const bytes: Moment['bytes'] = (which, offset, length) =>
      bytesAt(pair[which], which === 'idt' ? idt : fred, offset, length)
    const moment: Moment = { program, index, idt, fred, left, bytes }
    const differences = [...(index === 0 ? answers(runs.idt, runs.fred) : []), ...fields(idt, fred)]
    if (idt !== null && fred !== null && idt.entry === fred.entry) frames.push([frameRange(idt), frameRange(fred)])
    if (idt?.entry === 'endless' && fred?.entry === 'endless') return found
    for (const { address, values } of compareMemory(pair.idt, pair.fred, frames)) {
      differences.push({ field: 'memory', address, idt: values[0], fred: values[1] })
    }
    if (differences.length > 0) {
      const divergence = explain(moment, differences)
      found.push(divergence)
      if (divergence.unexplained.length > 0 || divergence.kinds.some(({ masked }) => masked !== true)) return found
    }
    if (idt === null || fred === null) return found
    left = leftBy(fred)
  }
}

const SELECTOR = 0xffffn

const leftBy = (seen: Observed): Moment['left'] => {
  const value = (name: string): bigint => {
    const field = seen[`frame.${name}`]
    return typeof field === 'bigint' ? field : 0n
  }
  return { rip: value('rip'), cs: value('cs') & SELECTOR, ss: value('ss') & SELECTOR, rsp: value('rsp') }
}

/** Finds the kinds of what differs. A kind that sends the guest another way explains all of the moment. */
function explain(moment: Moment, differences: readonly FieldDifference[]): Divergence {
  const turns = KINDS.filter((kind) => kind.turns?.(moment) === true)
  if (turns.length > 0) {
    // What the CPU shows is told by the instruction itself, and is the reason even where others could be.
    const kind = turns.find(({ byTheCpu }) => byTheCpu === true) ?? turns[0]!
    return { moment, differences, kinds: [kind], unexplained: [] }
  }
  const kinds = new Set<Kind>()
  const unexplained: FieldDifference[] = []
  for (const difference of differences) {
    const kind = KINDS.find(({ shows }) => shows?.(difference, moment) === true)
    if (kind === undefined) unexplained.push(difference)
    else kinds.add(kind)
  }
  const spreading = KINDS.find(({ spreads }) => spreads?.(moment) === true)
  if (spreading !== undefined && unexplained.length > 0) {
    kinds.add(spreading)
    unexplained.length = 0
  }
  return { moment, differences, kinds: KINDS.filter((kind) => kinds.has(kind)), unexplained }
}

function answers(idt: ProgramRun, fred: ProgramRun): FieldDifference[] {
  const length = Math.max(idt.answers.length, fred.answers.length)
  return Array.from({ length }, (_, i) => i)
    .filter((i) => idt.answers[i] !== fred.answers[i])
    .map((i) => ({ field: `answer[${i}]`, idt: idt.answers[i] ?? null, fred: fred.answers[i] ?? null }))
}

/** What only Xen's log shows. */
const LOGGED: readonly string[] = ['unhandled']

function fields(idt: Observed | null, fred: Observed | null): FieldDifference[] {
  if (idt === null || fred === null) {
    return idt === fred ? [] : [{ field: 'entry', idt: idt?.entry ?? null, fred: fred?.entry ?? null }]
  }
  return [...new Set([...Object.keys(idt), ...Object.keys(fred)])]
    .filter((name) => !LOGGED.includes(name) && (idt[name] ?? null) !== (fred[name] ?? null))
    .map((name) => ({ field: name, idt: idt[name] ?? null, fred: fred[name] ?? null }))
}

const QUADS_OF_FRAME = 7n

function frameRange(seen: Observed): FrameRange {
  const at = seen.frameAt
  if (typeof at !== 'bigint') return [0n, 0n]
  return [at, at + 8n * (QUADS_OF_FRAME + (seen['frame.errorCode'] === null ? 0n : 1n))]
}

function bytesAt(guest: PvGuest, seen: Observed | null, offset: number, length: number): Uint8Array | null {
  const rip = seen?.['frame.rip'] ?? seen?.['crash.rip']
  if (typeof rip !== 'bigint') return null
  try {
    return guest.cpu.space.read(rip + BigInt(offset), length)
  } catch (thrown) {
    if (thrown instanceof RangeError) return null
    throw thrown
  }
}
