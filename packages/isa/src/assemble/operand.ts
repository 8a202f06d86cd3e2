import type { Place } from '@trapframe/core'
import { Register } from '../decode/iced.js'
import type { Cursor } from './cursor.js'
import { AssemblyError, covering } from './error.js'
import { type Expression, parseExpression, registerPercent, type Scope, withoutRegisters } from './expression.js'
import { registerFile, registerNamed } from './registers.js'

/** `short`, `near` and `far` as written before an operand. */
export type Distance = 'short' | 'near' | 'far'

export type Operand =
  | { readonly type: 'register'; readonly register: Register; readonly place: Place }
  | MemoryReference
  | ValueOperand
  | {
      /** `0x8:0x1234` */
      readonly type: 'far'
      readonly selector: Expression
      readonly offset: Expression
      readonly size: number | undefined
      readonly place: Place
    }

/** An immediate or a branch target: only the instruction can tell. */
export interface ValueOperand {
  readonly type: 'value'
  readonly value: Expression
  readonly size: number | undefined
  readonly distance: Distance | undefined
  /** `strict dword 8`: the immediate has that size in the encoding, too. */
  readonly strict: boolean
  readonly place: Place
}

/** What stands in brackets, registers and all. */
export interface MemoryReference {
  readonly type: 'memory'
  readonly address: Expression
  /** Bytes by keyword; `far` pointers have their offset's. */
  readonly size: number | undefined
  readonly far: boolean
  readonly segment: Register | undefined
  /** `[rel x]` or `[abs x]`. */
  readonly relative: boolean | undefined
  /** `[qword x]`: bytes of the displacement. */
  readonly displacementSize: number | undefined
  readonly place: Place
}

/** Size keywords in bytes. */
export const SIZES: ReadonlyMap<string, number> = new Map([
  ['byte', 1],
  ['word', 2],
  ['dword', 4],
  ['fword', 6],
  ['qword', 8],
  ['mmword', 8],
  ['tword', 10],
  ['tbyte', 10],
  ['oword', 16],
  ['xmmword', 16],
  ['yword', 32],
  ['ymmword', 32],
  ['zword', 64],
  ['zmmword', 64],
])

interface Keywords {
  size: number | undefined
  distance: Distance | undefined
  pointer: boolean
  offset: boolean
  strict: boolean
}

/**
 * Reads one operand.
 *
 * @throws AssemblyError when none stands here
 */
export function parseOperand(cursor: Cursor, scope: Scope): Operand {
  const operand = parseBareOperand(cursor, scope)
  if (!cursor.isMark('{')) return operand
  const message = 'masks, broadcasts and rounding in braces are not taken'
  throw new AssemblyError('syntax', message, cursor.peek().place, 'write the bytes with db')
}

function parseBareOperand(cursor: Cursor, scope: Scope): Operand {
  const first = cursor.peek().place
  const keywords = parseKeywords(cursor)
  const until = () => covering(first, cursor.previous().place)

  const segment = parseSegment(cursor)
  if (segment !== undefined && !cursor.isMark('[')) {
    const address = parseExpression(cursor, scope)
    return memory(parseBrackets(cursor, scope, address), keywords, segment, until())
  }
  if (cursor.isMark('[')) return memory(parseBrackets(cursor, scope), keywords, segment, until())
  if (cursor.isMark('%')) throw registerPercent(cursor.peek().place)

  const register = parseStackRegister(cursor) ?? parseLoneRegister(cursor)
  if (register !== undefined) return { type: 'register', register, place: until() }

  const value = parseExpression(cursor, scope)
  if (cursor.isMark('[')) return memory(parseBrackets(cursor, scope, value), keywords, undefined, until())
  withoutRegisters(value)
  if (cursor.takeMark(':')) {
    const offset = withoutRegisters(parseExpression(cursor, scope))
    return { type: 'far', selector: value, offset, size: keywords.size, place: until() }
  }
  if (keywords.pointer && !keywords.offset && keywords.distance !== 'far') {
    return memory({ address: value, relative: undefined, displacementSize: undefined }, keywords, undefined, until())
  }
  const { size, distance, strict } = keywords
  return { type: 'value', value, size, distance, strict, place: until() }
}

function parseKeywords(cursor: Cursor): Keywords {
  const found: Keywords = { size: undefined, distance: undefined, pointer: false, offset: false, strict: false }
  for (;;) {
    const word = cursor.word()
    if (word === undefined) return found
    const size = SIZES.get(word)
    if (size !== undefined) found.size = size
    else if (word === 'short' || word === 'near' || word === 'far') found.distance = word
    else if (word === 'ptr') found.pointer = true
    else if (word === 'offset') found.offset = true
    else if (word === 'flat' && cursor.isMark(':', 1)) cursor.next()
    else if (word === 'strict') found.strict = true
    else return found
    cursor.next()
  }
}

/** `fs:` before brackets or, as GAS has it, before a bare address. */
function parseSegment(cursor: Cursor): Register | undefined {
  if (!cursor.isMark(':', 1)) return undefined
  const register = registerNamed(cursor.peek().text)
  if (register === undefined || registerFile(register) !== 'segment') return undefined
  cursor.next()
  cursor.next()
  return register
}

/** `st(3)`. */
function parseStackRegister(cursor: Cursor): Register | undefined {
  if (cursor.word() !== 'st' || !cursor.isMark('(', 1)) return undefined
  cursor.next()
  cursor.next()
  const number = cursor.expect('number', 'the number of an x87 register should stand here')
  if (!/^[0-7]$/.test(number.text))
    throw new AssemblyError('operands', 'x87 registers are st(0) to st(7)', number.place)
  cursor.expectMark(')', 'a ")" should follow the register')
  return (Register.ST0 + Number(number.text)) as Register
}

function parseLoneRegister(cursor: Cursor): Register | undefined {
  const token = cursor.peek()
  const register = token.type === 'word' ? registerNamed(token.text) : undefined
  if (register !== undefined) cursor.next()
  return register
}

interface Brackets {
  readonly address: Expression
  readonly relative: boolean | undefined
  readonly displacementSize: number | undefined
  readonly segment?: Register | undefined
}

/** One or more pairs of brackets, their contents and what stood before them added up: `table[rcx*8]`, `[rbx][rcx]`. */
function parseBrackets(cursor: Cursor, scope: Scope, before?: Expression): Brackets {
  let address = before
  let relative: boolean | undefined
  let displacementSize: number | undefined
  let segment: Register | undefined
  while (cursor.isMark('[')) {
    cursor.next()
    for (;;) {
      const word = cursor.word() ?? ''
      const size = SIZES.get(word)
      if (size !== undefined) displacementSize = size
      else if (word === 'rel' || word === 'abs') relative = word === 'rel'
      else break
      cursor.next()
    }
    segment = parseSegment(cursor) ?? segment
    const inner = parseExpression(cursor, scope)
    cursor.expectMark(']', 'a "]" should close the bracket')
    address =
      address === undefined
        ? inner
        : { type: 'binary', operator: '+', left: address, right: inner, place: covering(address.place, inner.place) }
  }
  return { address: address!, relative, displacementSize, segment }
}

function memory(brackets: Brackets, keywords: Keywords, segment: Register | undefined, place: Place): MemoryReference {
  return {
    type: 'memory',
    address: brackets.address,
    size: keywords.size,
    far: keywords.distance === 'far',
    segment: segment ?? brackets.segment,
    relative: brackets.relative,
    displacementSize: brackets.displacementSize,
    place,
  }
}
