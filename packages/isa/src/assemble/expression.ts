import type { Place } from '@trapframe/core'
import type { Register } from '../decode/iced.js'
import type { Cursor } from './cursor.js'
import { AssemblyError, covering } from './error.js'
import { characterValue, numberValue } from './number.js'
import { registerNamed } from './registers.js'

export type UnaryOperator = '-' | '+' | '~' | '!'
export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '<<' | '>>' | '&' | '^' | '|'

/** What is written where a value belongs. Registers are leaves too: inside brackets they have a meaning. */
export type Expression =
  | { readonly type: 'number'; readonly value: bigint; readonly place: Place }
  | { readonly type: 'name'; readonly name: string; readonly scope: Scope; readonly place: Place }
  | { readonly type: 'here' | 'origin'; readonly place: Place }
  | { readonly type: 'register'; readonly register: Register; readonly place: Place }
  | { readonly type: 'unary'; readonly operator: UnaryOperator; readonly operand: Expression; readonly place: Place }
  | {
      readonly type: 'binary'
      readonly operator: BinaryOperator
      readonly left: Expression
      readonly right: Expression
      readonly place: Place
    }

/** Where a name is used: the label that `.local` ones belong to, and how often each numeric label came so far. */
export interface Scope {
  readonly parent: string
  readonly numeric: ReadonlyMap<string, number>
}

const DEEPEST = 64
const MOST_OPERATORS = 512

/** From the loosest to the tightest. */
const LEVELS: readonly (readonly BinaryOperator[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '%']]

/**
 * Reads an expression: numbers, characters, names, `$`, `$$`, parentheses and C's operators with C's precedence.
 *
 * @throws AssemblyError when none stands here, or one too deep or too long to be meant
 */
export function parseExpression(cursor: Cursor, scope: Scope): Expression {
  let operators = 0

  const level = (index: number, depth: number): Expression => {
    const choices = LEVELS[index]
    if (choices === undefined) return unary(depth)
    let left = level(index + 1, depth)
    for (;;) {
      const operator = choices.find((choice) => cursor.isMark(choice))
      if (operator === undefined) return left
      const { place } = cursor.next()
      if (++operators > MOST_OPERATORS) throw new AssemblyError('syntax', 'the expression is too long', place)
      const right = level(index + 1, depth)
      left = { type: 'binary', operator, left, right, place: covering(left.place, right.place) }
    }
  }

  const unary = (depth: number): Expression => {
    const token = cursor.peek()
    if (depth > DEEPEST) throw new AssemblyError('syntax', 'the expression is nested too deep', token.place)
    if (token.type === 'mark' && isUnary(token.text)) {
      cursor.next()
      const operand = unary(depth + 1)
      return { type: 'unary', operator: token.text, operand, place: covering(token.place, operand.place) }
    }
    if (cursor.takeMark('(')) {
      const inner = level(0, depth + 1)
      const close = cursor.expectMark(')', 'a ")" should close the parenthesis')
      return { ...inner, place: covering(token.place, close.place) }
    }
    return primary(cursor, scope)
  }

  return level(0, 0)
}

const isUnary = (text: string): text is UnaryOperator => text === '-' || text === '+' || text === '~' || text === '!'

function primary(cursor: Cursor, scope: Scope): Expression {
  const token = cursor.peek()
  const { place } = token
  if (token.type === 'string') return { type: 'number', value: characterValue(cursor.next()), place }
  if (token.type === 'number') {
    cursor.next()
    return numericLabel(token.text, scope, place) ?? { type: 'number', value: numberValue(token), place }
  }
  if (token.type !== 'word') {
    if (token.text === '%') throw registerPercent(place)
    throw cursor.unexpected('a value should stand here')
  }
  cursor.next()
  if (token.text === '$' || token.text === '.') return { type: 'here', place }
  if (token.text === '$$') return { type: 'origin', place }
  const register = registerNamed(token.text)
  if (register !== undefined) return { type: 'register', register, place }
  return { type: 'name', name: token.text, scope, place }
}

/** `1b` is the nearest `1:` before, `1f` the nearest after, where the source has such a label at all. */
function numericLabel(text: string, scope: Scope, place: Place): Expression | undefined {
  const [, number, direction] = /^([0-9]+)([bf])$/.exec(text) ?? []
  const before = number === undefined ? undefined : scope.numeric.get(number)
  if (number === undefined || before === undefined) return undefined
  return { type: 'name', name: numericName(number, direction === 'b' ? before - 1 : before), scope, place }
}

/** The name under which the n-th definition of a numeric label is kept; no source can write it. */
export function numericName(number: string, nth: number): string {
  return `${number}:${nth}`
}

/** The error for AT&T's `%rax`. */
export function registerPercent(place: Place): AssemblyError {
  return new AssemblyError('syntax', '"%" means nothing here', place, 'Intel syntax writes registers without %')
}

/** @throws AssemblyError when a register stands in a value */
export function withoutRegisters(expression: Expression): Expression {
  const found = findRegister(expression)
  if (found === undefined) return expression
  throw new AssemblyError('syntax', 'a register has no value here', found, 'registers are added inside brackets only')
}

function findRegister(expression: Expression): Place | undefined {
  switch (expression.type) {
    case 'register':
      return expression.place
    case 'unary':
      return findRegister(expression.operand)
    case 'binary':
      return findRegister(expression.left) ?? findRegister(expression.right)
    default:
      return undefined
  }
}
