import type { Place } from '@trapframe/core'
import { Register } from '../decode/iced.js'
import { AssemblyError } from './error.js'
import type { BinaryOperator, Expression } from './expression.js'
import { registerFile, registerName } from './registers.js'

/** An address as the machine has it: base, scaled index and what is left. */
export interface Address {
  readonly base: Register
  readonly index: Register
  readonly scale: number
  readonly displacement: Expression | undefined
  /** Bytes of the address registers; undefined where there are none. */
  readonly size: number | undefined
}

interface Term {
  readonly register: Register
  readonly factor: number
  /** A factor is written, be it 1. */
  readonly scaled: boolean
  readonly place: Place
}

/** The value of an expression that must not depend on addresses. */
export type Constant = (expression: Expression) => bigint

/**
 * Takes what stands in brackets apart.
 *
 * @param constant gives the factors of registers their value
 * @throws AssemblyError when it is no address: three registers, a factor of 6, a subtracted register
 */
export function takeApart(expression: Expression, constant: Constant): Address {
  const terms: Term[] = []
  const displacement = collect(expression, terms, constant)
  const { base, index } = arrange(terms)
  for (const { register, place } of terms) checkFile(register, place)
  const size = terms.length === 0 ? undefined : sizeOf(terms)
  return {
    base: base?.register ?? Register.None,
    index: index?.register ?? Register.None,
    scale: index?.factor ?? 1,
    displacement,
    size,
  }
}

/** Moves the registers of a sum into `terms` and returns the rest. */
function collect(expression: Expression, terms: Term[], constant: Constant): Expression | undefined {
  if (expression.type === 'register') {
    terms.push({ register: expression.register, factor: 1, scaled: false, place: expression.place })
    return undefined
  }
  if (!hasRegister(expression)) return expression
  if (expression.type === 'unary' && expression.operator === '+') return collect(expression.operand, terms, constant)
  if (expression.type === 'binary') {
    const { operator, left, right } = expression
    if (operator === '+') return join('+', collect(left, terms, constant), collect(right, terms, constant))
    if (operator === '-' && !hasRegister(right)) return join('-', collect(left, terms, constant), right)
    const [register, factor] = left.type === 'register' ? [left, right] : [right, left]
    if (operator === '*' && register.type === 'register' && !hasRegister(factor)) {
      const value = constant(factor)
      if (value < 1n || value > 9n) throw scaleError(factor.place)
      terms.push({ register: register.register, factor: Number(value), scaled: true, place: expression.place })
      return undefined
    }
  }
  throw new AssemblyError(
    'syntax',
    'this is no address',
    expression.place,
    'an address is [base + index*scale + displacement]',
  )
}

function hasRegister(expression: Expression): boolean {
  if (expression.type === 'register') return true
  if (expression.type === 'unary') return hasRegister(expression.operand)
  return expression.type === 'binary' && (hasRegister(expression.left) || hasRegister(expression.right))
}

function join(operator: BinaryOperator, left: Expression | undefined, right: Expression | undefined) {
  if (right === undefined) return left
  if (left === undefined) {
    return operator === '+' ? right : ({ type: 'unary', operator: '-', operand: right, place: right.place } as const)
  }
  return { type: 'binary', operator, left, right, place: left.place } as const
}

/** Decides which register is the base: the first unscaled one, and RSP wherever it stands. */
function arrange(terms: Term[]): { base?: Term; index?: Term } {
  const [first, second, third] = terms
  if (third !== undefined) {
    throw new AssemblyError('operands', 'an address has at most two registers', third.place)
  }
  if (first === undefined) return {}
  if (second === undefined) return arrangeOne(first)
  const swap =
    isVector(first) ||
    (first.scaled && !second.scaled) ||
    (second.factor === 1 && (isStack(second) || isIndex16(first) || first.factor !== 1))
  const [base, index] = swap ? [second, first] : [first, second]
  if (base.factor !== 1) throw new AssemblyError('operands', 'only one register can be scaled', base.place)
  if (isStack(index))
    throw new AssemblyError('operands', `${registerName(index.register)} cannot be scaled`, index.place)
  checkScale(index)
  return { base, index }
}

function arrangeOne(term: Term): { base?: Term; index?: Term } {
  if (isVector(term)) {
    checkScale(term)
    return { index: term }
  }
  if (!term.scaled) return { base: term }
  if (isStack(term)) throw new AssemblyError('operands', `${registerName(term.register)} cannot be scaled`, term.place)
  // three, five and nine times a register is the register and two, four or eight times it
  if (term.factor === 3 || term.factor === 5 || term.factor === 9) {
    return { base: { ...term, factor: 1 }, index: { ...term, factor: term.factor - 1 } }
  }
  checkScale(term)
  return { index: term }
}

function checkScale({ factor, place }: Term): void {
  if (factor !== 1 && factor !== 2 && factor !== 4 && factor !== 8) throw scaleError(place)
}

function scaleError(place: Place): AssemblyError {
  return new AssemblyError('operands', 'a register can be scaled by 1, 2, 4 or 8', place)
}

const isStack = ({ register }: Term) => register === Register.RSP || register === Register.ESP
const isIndex16 = ({ register }: Term) => register === Register.SI || register === Register.DI
const isVector = ({ register }: Term) => register >= Register.XMM0 && register <= Register.ZMM31

function checkFile(register: Register, place: Place): void {
  const file = registerFile(register)
  if (file === 'r16' || file === 'r32' || file === 'r64' || file === 'ip') return
  if (file === 'xmm' || file === 'ymm' || file === 'zmm') return
  throw new AssemblyError('operands', `${registerName(register)} cannot be part of an address`, place)
}

function sizeOf(terms: readonly Term[]): number | undefined {
  const sizes = terms.map(({ register }) => {
    const file = registerFile(register)
    if (file === 'r16') return 2
    if (file === 'r32' || register === Register.EIP) return 4
    return file === 'r64' || register === Register.RIP ? 8 : undefined
  })
  const [first, second] = sizes.filter((size) => size !== undefined)
  if (first !== undefined && second !== undefined && first !== second) {
    throw new AssemblyError('operands', 'the registers of an address have one width', terms[1]!.place)
  }
  return first
}
