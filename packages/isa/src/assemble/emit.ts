import { type OpCodeOperandKind, Register } from '../decode/iced.js'
import { encode } from './encode.js'
import type { Unfit } from './encoding.js'
import { AssemblyError } from './error.js'
import { type Circumstances, dependsOnLayout, evaluate } from './evaluate.js'
import type { Candidate, ReadyOperand, WrittenInstruction } from './instruction.js'
import { accepts } from './kinds.js'
import { select } from './select.js'
import type { Repeatable, Statement } from './statement.js'
import type { SymbolTable } from './symbols.js'

/** A program may have this many bytes. */
export const LARGEST = 1 << 20
/** `times` may repeat an instruction so often. */
const MOST_REPEATED = 1 << 16

/** What the layout asks of the bytes of a statement. */
export interface Demands {
  /** Not fewer bytes, so that passes come to an end. */
  readonly atLeast: number
  /** The longest form, whose length no label changes. */
  readonly long: boolean
}

/** Makes a statement's bytes at an address, again and again while labels move. */
export type Emitter = (around: Circumstances, demands: Demands) => Uint8Array

/** @throws AssemblyError for an instruction that no form fits; values are looked at only when bytes are made */
export function emitter(statement: Exclude<Statement, { type: 'label' | 'constant' }>, symbols: SymbolTable): Emitter {
  switch (statement.type) {
    case 'instruction':
      return instructionEmitter(statement.written, symbols)
    case 'data':
      return (around) => emitData(statement, around)
    case 'reserve':
      return (around) => {
        const count = evaluate(statement.count, around)
        return new Uint8Array(checkedCount(count, statement.unit, statement) * statement.unit)
      }
    case 'align':
      return (around) => emitAlignment(statement, around)
    case 'times':
      return timesEmitter(statement, symbols)
  }
}

function instructionEmitter(written: WrittenInstruction, symbols: SymbolTable): Emitter {
  const candidates = select(written, symbols)
  let settled: Uint8Array | undefined
  return (around, demands) => {
    if (settled !== undefined) return settled
    const bytes = shortest(candidates, written, around, demands)
    if (candidates.every((candidate) => isFixed(candidate, symbols))) settled = bytes
    return bytes
  }
}

/** The shortest encoding that meets the demands; of equally long ones the first. */
function shortest(
  candidates: readonly Candidate[],
  written: WrittenInstruction,
  around: Circumstances,
  { atLeast, long }: Demands,
): Uint8Array {
  let best: Uint8Array | undefined
  let unfit: Unfit | undefined
  for (const candidate of candidates) {
    const encoding = encode(candidate, written, around, long)
    if (!(encoding instanceof Uint8Array)) {
      if (unfit === undefined || encoding.reach > unfit.reach) unfit = encoding
    } else if (best === undefined || isBetter(encoding.length, best.length, atLeast, long)) {
      best = encoding
    }
  }
  if (best === undefined) throw unfit!.error
  return best
}

function isBetter(length: number, best: number, atLeast: number, long: boolean): boolean {
  if (long || best < atLeast) return length > best
  return length >= atLeast && length < best
}

/** Whether the bytes are the same wherever the instruction and the labels come to lie. */
function isFixed({ form, slots }: Candidate, symbols: SymbolTable): boolean {
  return slots.every((slot, i) => slot === undefined || isFixedOperand(slot, form.kinds[i]!, symbols))
}

function isFixedOperand(operand: ReadyOperand, kind: OpCodeOperandKind, symbols: SymbolTable): boolean {
  if (operand.type === 'register') return true
  if (operand.type === 'value') return accepts(kind).branch === undefined && !dependsOnLayout(operand.value, symbols)
  if (operand.type === 'far') {
    return !dependsOnLayout(operand.selector, symbols) && !dependsOnLayout(operand.offset, symbols)
  }
  const { base, displacement } = operand.parts
  if (operand.relative === true || base === Register.RIP || base === Register.EIP) return false
  return displacement === undefined || !dependsOnLayout(displacement, symbols)
}

function emitData({ items, unit }: Repeatable & { type: 'data' }, around: Circumstances): Uint8Array {
  const length = items.reduce((sum, item) => sum + (item.type === 'text' ? item.bytes.length : unit), 0)
  const bytes = new Uint8Array(length)
  const most = 1n << BigInt(unit * 8)
  let at = 0
  for (const item of items) {
    if (item.type === 'text') {
      bytes.set(item.bytes, at)
      at += item.bytes.length
      continue
    }
    const value = evaluate(item, around)
    if (value >= most || value < -(most >> 1n)) {
      throw new AssemblyError('out-of-range', `${value} does not fit in ${unit * 8} bits`, item.place)
    }
    for (let i = 0; i < unit; i++) bytes[at++] = Number((value >> BigInt(i * 8)) & 0xffn)
  }
  return bytes
}

function emitAlignment(statement: Statement & { type: 'align' }, around: Circumstances): Uint8Array {
  const given = evaluate(statement.boundary, around)
  const boundary = statement.logarithm && given >= 0n && given <= 20n ? 1n << given : given
  const power = boundary > 0n && (boundary & (boundary - 1n)) === 0n
  if (!power || boundary > BigInt(LARGEST) || (statement.logarithm && given > 20n)) {
    throw new AssemblyError('out-of-range', 'an alignment is a power of two, at most 1 MiB', statement.boundary.place)
  }
  const bytes = new Uint8Array(Number(-around.here & (boundary - 1n)))
  const fill = typeof statement.fill === 'number' ? BigInt(statement.fill) : evaluate(statement.fill, around)
  return bytes.fill(Number(fill & 0xffn))
}

function timesEmitter(statement: Statement & { type: 'times' }, symbols: SymbolTable): Emitter {
  const { body } = statement
  const once = emitter(body, symbols)
  return (around, demands) => {
    const count = evaluate(statement.count, around)
    const most = body.type === 'instruction' ? MOST_REPEATED : LARGEST
    if (count < 0n || count > BigInt(most)) {
      throw new AssemblyError('too-big', `${count} times is not between 0 and ${most}`, statement.count.place)
    }
    const copies: Uint8Array[] = []
    let length = 0
    for (let i = 0; i < Number(count); i++) {
      const bytes = once({ ...around, here: around.here + BigInt(length) }, { ...demands, atLeast: 0 })
      length += bytes.length
      checkedCount(BigInt(length), 1, statement)
      copies.push(bytes)
    }
    return joined(copies, length)
  }
}

/** The pieces one after the other. */
export function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

function checkedCount(count: bigint, unit: number, { place }: Pick<Statement, 'place'>): number {
  if (count >= 0n && count * BigInt(unit) <= BigInt(LARGEST)) return Number(count)
  const message = count < 0n ? `${count} is negative` : 'a program has at most 1 MiB'
  throw new AssemblyError('too-big', message, place)
}
