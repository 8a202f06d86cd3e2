import type { Place } from '@trapframe/core'
import { AssemblyError } from './error.js'
import type { BinaryOperator, Expression } from './expression.js'
import type { SymbolTable } from './symbols.js'

/** What the value of an expression can depend on. */
export interface Circumstances {
  /** `$`: the address of the statement. */
  readonly here: bigint
  /** `$$`: the address of the program. */
  readonly origin: bigint
  readonly symbols: SymbolTable
}

const LIMIT = 1n << 64n
const DEEPEST_CONSTANT = 32

/**
 * The value of an expression, between -2^64 and 2^64. A label that no pass has met yet counts as standing right here.
 *
 * @throws AssemblyError for an unknown name, a register, a division by zero, a value beyond 64 bits
 */
export function evaluate(expression: Expression, around: Circumstances, depth = 0): bigint {
  switch (expression.type) {
    case 'number':
      return expression.value
    case 'here':
      return around.here
    case 'origin':
      return around.origin
    case 'register':
      throw new AssemblyError('syntax', 'a register has no value here', expression.place)
    case 'name':
      return valueOfName(expression, around, depth)
    case 'unary': {
      const operand = evaluate(expression.operand, around, depth)
      if (expression.operator === '-') return -operand
      if (expression.operator === '~') return ~operand
      return expression.operator === '!' ? BigInt(operand === 0n) : operand
    }
    case 'binary': {
      const left = evaluate(expression.left, around, depth)
      const right = evaluate(expression.right, around, depth)
      const value = calculate(expression.operator, left, right, expression.right.place)
      if (value > -LIMIT && value < LIMIT) return value
      throw new AssemblyError('out-of-range', 'the value has more than 64 bits', expression.place)
    }
  }
}

function valueOfName(expression: Expression & { type: 'name' }, around: Circumstances, depth: number): bigint {
  const meaning = around.symbols.find(expression.name, expression.scope, expression.place)
  if (meaning.type === 'given') return meaning.value
  if (meaning.type === 'label') return meaning.label.address ?? around.here
  const { constant } = meaning
  mustEnd(expression.name, depth, expression.place)
  const here = constant.address ?? around.here
  constant.known ??= evaluate(constant.value, { ...around, here }, depth + 1)
  return constant.known
}

function mustEnd(name: string, depth: number, place: Place): void {
  if (depth < DEEPEST_CONSTANT) return
  throw new AssemblyError('syntax', `"${name}" is defined by itself or through too many others`, place)
}

function calculate(operator: BinaryOperator, left: bigint, right: bigint, place: Place): bigint {
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '&':
      return left & right
    case '^':
      return left ^ right
    case '|':
      return left | right
    case '/':
    case '%':
      if (right === 0n) throw new AssemblyError('out-of-range', 'this divides by zero', place)
      return operator === '/' ? left / right : left % right
    case '<<':
    case '>>':
      if (right < 0n || right > 64n) throw new AssemblyError('out-of-range', 'a shift goes from 0 to 64', place)
      return operator === '<<' ? left << right : left >> right
  }
}

/**
 * How many addresses an expression adds up, differences of labels being none: `label + 8` is 1, `end - start` is 0.
 * Names that the caller gave count as addresses.
 */
export function addressWeight(expression: Expression, symbols: SymbolTable, depth = 0): number {
  switch (expression.type) {
    case 'here':
    case 'origin':
      return 1
    case 'name': {
      const meaning = symbols.find(expression.name, expression.scope, expression.place)
      if (meaning.type !== 'constant') return 1
      mustEnd(expression.name, depth, expression.place)
      meaning.constant.weight ??= addressWeight(meaning.constant.value, symbols, depth + 1)
      return meaning.constant.weight
    }
    case 'unary': {
      const weight = addressWeight(expression.operand, symbols, depth)
      return expression.operator === '+' ? weight : -weight
    }
    case 'binary': {
      const left = addressWeight(expression.left, symbols, depth)
      const right = addressWeight(expression.right, symbols, depth)
      if (expression.operator === '-') return left - right
      if (expression.operator === '+') return left + right
      return left === 0 && right === 0 ? 0 : 1
    }
    default:
      return 0
  }
}

/** Whether the value can change while the layout settles: whether `$` or a label of this source is in it. */
export function dependsOnLayout(expression: Expression, symbols: SymbolTable, depth = 0): boolean {
  switch (expression.type) {
    case 'here':
      return true
    case 'name': {
      const meaning = symbols.find(expression.name, expression.scope, expression.place)
      if (meaning.type !== 'constant') return meaning.type === 'label'
      mustEnd(expression.name, depth, expression.place)
      meaning.constant.depends ??= dependsOnLayout(meaning.constant.value, symbols, depth + 1)
      return meaning.constant.depends
    }
    case 'unary':
      return dependsOnLayout(expression.operand, symbols, depth)
    case 'binary':
      return dependsOnLayout(expression.left, symbols, depth) || dependsOnLayout(expression.right, symbols, depth)
    default:
      return false
  }
}
