import {
  CONTROL_NAMES,
  type ControlName,
  cpuModel,
  GPR_NAMES,
  type GprName,
  type InitialState,
  type Injection,
  type MemoryPatch,
  type Outcome,
  SEGMENT_NAMES,
  type Segment,
  type SegmentName,
} from '@trapframe/core'
import type { Vector, VectorFormat } from './format.js'
import { playStateVector } from './play.js'

/** What a vector says about the state afterwards: only what differs from the initial one, or only what is compared. */
export interface FinalState {
  readonly gpr: Partial<Record<GprName, bigint>>
  readonly rip?: bigint
  readonly rflags?: bigint
  readonly cpl?: number
  readonly segments: Partial<Record<SegmentName, Segment>>
  readonly control: Partial<Record<ControlName, bigint>>
  readonly msr: ReadonlyMap<number, bigint>
  readonly ssp?: bigint
  readonly blocking?: Partial<Record<'nmi' | 'sti' | 'movss', boolean>>
  readonly memory: readonly MemoryPatch[]
}

/** A vector of `conformance/README.md`: a complete state, a few instructions, the complete state after them. */
export interface StateVector {
  readonly id: string
  readonly initial: InitialState
  readonly injection: Injection | null
  readonly outcome: Outcome
  readonly final: FinalState
  /** Compare only what `final` names. */
  readonly listedOnly: boolean
}

type Json = Readonly<Record<string, unknown>>

/** Integers are lower-case hex strings with `0x`. */
function integer(value: unknown, what: string): bigint {
  if (typeof value === 'string' && /^0x[0-9a-f]{1,16}$/i.test(value)) return BigInt(value)
  throw new Error(`${what} is no hex integer: ${JSON.stringify(value)}`)
}

const small = (value: unknown, what: string): number => Number(integer(value, what))

function object(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw new Error(`${what} is no object`)
}

function array(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new Error(`${what} is no list`)
}

function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value
  throw new Error(`${what} is no text`)
}

function hexBytes(value: unknown, what: string): Uint8Array {
  const hex = text(value, what)
  if (hex.length % 2 !== 0 || /[^0-9a-f]/i.test(hex)) throw new Error(`${what} is no hex byte string`)
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

function segment(value: unknown, what: string): Segment {
  const { selector, base, limit, access } = object(value, what)
  return {
    selector: small(selector, `${what}.selector`),
    base: integer(base, `${what}.base`),
    limit: small(limit, `${what}.limit`),
    access: small(access, `${what}.access`),
  }
}

function memory(value: unknown, what: string): MemoryPatch[] {
  return array(value, what).map((item, i) => {
    const { address, bytes } = object(item, `${what}[${i}]`)
    return { address: integer(address, `${what}[${i}].address`), bytes: hexBytes(bytes, `${what}[${i}].bytes`) }
  })
}

function msrs(value: unknown, what: string): Map<number, bigint> {
  return new Map(
    Object.entries(object(value, what)).map(([index, msr]) => [small(index, what), integer(msr, `${what}.${index}`)]),
  )
}

function table(value: unknown, what: string): { base: bigint; limit: number } {
  const { base, limit } = object(value, what)
  return { base: integer(base, `${what}.base`), limit: small(limit, `${what}.limit`) }
}

function privilege(value: unknown, what: string): number {
  if (value === 0 || value === 1 || value === 2 || value === 3) return value
  throw new Error(`${what} is no privilege level from 0 to 3: ${JSON.stringify(value)}`)
}

function pageLetters(value: unknown, what: string): string {
  const letters = text(value, what)
  if (/^[wuxs]*$/.test(letters)) return letters
  throw new Error(`${what} are not letters of w, u, x and s: ${JSON.stringify(letters.slice(0, 40))}`)
}

/** A vector maps a few pages; the bound keeps a stranger's file from filling the memory. */
const MOST_PAGES = 0x1_0000

function pageCount(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MOST_PAGES) return value
  throw new Error(`${what} is no number of pages from 1 to ${MOST_PAGES}: ${JSON.stringify(value)}`)
}

function initialState(value: unknown): InitialState {
  const read = readInitialState(value)
  const pages = read.pages.reduce((sum, { count }) => sum + count, 0)
  if (pages <= MOST_PAGES) return read
  throw new Error(`initial.pages are ${pages} pages together, and ${MOST_PAGES} is the most`)
}

function readInitialState(value: unknown): InitialState {
  const state = object(value, 'initial')
  const gpr = object(state.gpr, 'initial.gpr')
  const blocking = object(state.blocking, 'initial.blocking')
  const named = <K extends string, V>(names: readonly K[], read: (name: K) => V): Record<K, V> =>
    Object.fromEntries(names.map((name) => [name, read(name)])) as Record<K, V>
  return {
    gpr: named(GPR_NAMES, (name) => integer(gpr[name], `initial.gpr.${name}`)),
    rip: integer(state.rip, 'initial.rip'),
    rflags: integer(state.rflags, 'initial.rflags'),
    cpl: privilege(state.cpl, 'initial.cpl'),
    segments: named(SEGMENT_NAMES, (name) => segment(state[name], `initial.${name}`)),
    gdtr: table(state.gdtr, 'initial.gdtr'),
    idtr: table(state.idtr, 'initial.idtr'),
    control: named(CONTROL_NAMES, (name) => integer(state[name], `initial.${name}`)),
    msr: msrs(state.msr, 'initial.msr'),
    ...(state.ssp === undefined ? {} : { ssp: integer(state.ssp, 'initial.ssp') }),
    blocking: {
      nmi: blocking.nmi === true,
      sti: blocking.sti === true,
      movss: blocking.movss === true,
    },
    pages: array(state.pages, 'initial.pages').map((item, i) => {
      const { address, count, flags } = object(item, `initial.pages[${i}]`)
      return {
        address: integer(address, `initial.pages[${i}].address`),
        count: pageCount(count, `initial.pages[${i}].count`),
        flags: pageLetters(flags, `initial.pages[${i}].flags`),
      }
    }),
    memory: memory(state.memory, 'initial.memory'),
  }
}

function finalState(value: unknown): FinalState {
  const state = object(value, 'final')
  const gpr: Partial<Record<GprName, bigint>> = {}
  const segments: Partial<Record<SegmentName, Segment>> = {}
  const control: Partial<Record<ControlName, bigint>> = {}
  for (const [name, register] of Object.entries(object(state.gpr ?? {}, 'final.gpr'))) {
    gpr[name as GprName] = integer(register, `final.gpr.${name}`)
  }
  for (const name of SEGMENT_NAMES) {
    if (state[name] !== undefined) segments[name] = segment(state[name], `final.${name}`)
  }
  for (const name of CONTROL_NAMES) {
    if (state[name] !== undefined) control[name] = integer(state[name], `final.${name}`)
  }
  return {
    gpr,
    segments,
    control,
    ...(state.rip === undefined ? {} : { rip: integer(state.rip, 'final.rip') }),
    ...(state.rflags === undefined ? {} : { rflags: integer(state.rflags, 'final.rflags') }),
    ...(state.cpl === undefined ? {} : { cpl: privilege(state.cpl, 'final.cpl') }),
    ...(state.ssp === undefined ? {} : { ssp: integer(state.ssp, 'final.ssp') }),
    ...(state.blocking === undefined
      ? {}
      : { blocking: object(state.blocking, 'final.blocking') as Partial<Record<'nmi' | 'sti' | 'movss', boolean>> }),
    msr: msrs(state.msr ?? {}, 'final.msr'),
    memory: memory(state.memory ?? [], 'final.memory'),
  }
}

function injection(value: unknown): Injection | null {
  if (value === null || value === undefined) return null
  const { type, vector } = object(value, 'inject')
  if (type === 'nmi') return { type }
  if (type === 'external-interrupt') return { type, vector: small(vector, 'inject.vector') }
  throw new Error(`inject.type is neither nmi nor external-interrupt: ${JSON.stringify(type)}`)
}

function outcome(value: unknown): Outcome {
  if (value === 'halted' || value === 'shutdown') return value
  throw new Error(`outcome is neither halted nor shutdown: ${JSON.stringify(value)}`)
}

function parse(line: Json): Vector {
  const cpu = object(line.cpu, 'cpu')
  const vendor = cpu.vendor
  const linearAddressBits = cpu.linearAddressBits
  if (vendor !== 'intel' && vendor !== 'amd') throw new Error(`cpu.vendor is neither intel nor amd`)
  if (linearAddressBits !== 48 && linearAddressBits !== 57)
    throw new Error('cpu.linearAddressBits is neither 48 nor 57')
  const features = array(cpu.features, 'cpu.features').map((name) => text(name, 'cpu.features'))
  const vector: StateVector = {
    id: text(line.id, 'id'),
    initial: initialState(line.initial),
    injection: injection(line.inject),
    outcome: outcome(line.outcome),
    final: finalState(line.final),
    listedOnly: line.compare === 'listed',
  }
  return {
    id: vector.id,
    group: text(line.group, 'group'),
    ...(line.disputed === undefined ? {} : { disputed: text(line.disputed, 'disputed') }),
    cpu: cpuModel({ vendor, linearAddressBits, features: ['umip', ...features] }),
    play: (machine) => playStateVector(machine, vector),
  }
}

/** The format of `idt-*.jsonl`, `idt2-*.jsonl` and `fred-*.jsonl`. */
export const stateFormat: VectorFormat = {
  name: 'state',
  recognises: (first) => 'initial' in first && 'final' in first && 'program' in first,
  parse,
}
