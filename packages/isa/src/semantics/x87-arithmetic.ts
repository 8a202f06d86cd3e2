import { type Cpu, type Decoded, OPERAND_X87, type Semantics } from '@trapframe/core'
import { calculate, type Operation, squareRoot } from '../float/arithmetic.js'
import {
  DOUBLE,
  EXTENDED,
  type Float,
  type FloatFormat,
  finite,
  INDEFINITE,
  isNan,
  isSignaling,
  quieted,
  SINGLE,
} from '../float/number.js'
import {
  DENORMAL,
  INVALID,
  PRECISION,
  type Rounded,
  type Rounding,
  roundToInteger,
  ZERO_DIVIDE,
} from '../float/round.js'
import {
  controlWord,
  isEmpty,
  noteX87,
  pop,
  readStack,
  stackFault,
  unmaskedX87,
  writeStack,
  x87Rounding,
} from './fpu-state.js'
import { waiting } from './x87.js'
import { loadFloat, loadInteger } from './x87-transfer.js'

/** Unmasked, these leave operands and stack as they are; #O, #U and #P deliver a result all the same (SDM 1 8.5). */
const BLOCKING = INVALID | DENORMAL | ZERO_DIVIDE
/** By how much the exponent of a result is moved when #O or #U is not masked. */
const WRAP = 24576

/** Precision control narrows the significand, not the exponent (SDM 1 8.1.5.2). 01b is reserved and taken as 64 bits. */
function formatOf(cpu: Cpu): FloatFormat {
  const control = (controlWord(cpu) >>> 8) & 3
  const precision = control === 0 ? SINGLE.precision : control === 2 ? DOUBLE.precision : EXTENDED.precision
  return { ...EXTENDED, precision }
}

const rounding = (cpu: Cpu): Rounding => ({
  format: formatOf(cpu),
  mode: x87Rounding(cpu),
  unmasked: unmaskedX87(cpu),
  wrap: WRAP,
})

/** Puts a result into ST(i), unless an unmasked exception forbids it. True when it did. */
function finish(cpu: Cpu, i: number, { value, flags, up }: Rounded): boolean {
  if (noteX87(cpu, flags, up, BLOCKING)) return false
  writeStack(cpu, i, value)
  return true
}

/** An empty operand: the masked answer is the indefinite. True when the destination got it. */
function underflow(cpu: Cpu, i: number): boolean {
  if (stackFault(cpu, false)) return false
  writeStack(cpu, i, INDEFINITE)
  return true
}

/** Operands of the two-register forms are destination and source; the other forms work on ST(0) and memory. */
function dyadic(operation: Operation, reversed: boolean, popping: boolean, integer = false): Semantics {
  return (cpu, insn) => {
    const [target, source] = operandsOf(cpu, insn, integer)
    const empty = isEmpty(cpu, target) || (typeof source === 'number' && isEmpty(cpu, source))
    let done: boolean
    if (empty) {
      done = underflow(cpu, target)
    } else {
      const a = readStack(cpu, target)
      const b = typeof source === 'number' ? readStack(cpu, source) : source
      const [left, right] = reversed ? [b, a] : [a, b]
      done = finish(cpu, target, calculate(operation, left, right, rounding(cpu), 'larger'))
    }
    if (done && popping) pop(cpu)
  }
}

/** Number of the destination register, and the source: another register's number or a value from memory. */
function operandsOf(cpu: Cpu, insn: Decoded, integer: boolean): readonly [number, number | Float] {
  const [first, second] = [insn.operands[0]!, insn.operands[1]]
  if (first.kind === OPERAND_X87) return [first.register, second!.register]
  return [0, integer ? loadInteger(cpu, insn, first) : loadFloat(cpu, insn, first)]
}

const root: Semantics = (cpu) => {
  if (isEmpty(cpu, 0)) underflow(cpu, 0)
  else finish(cpu, 0, squareRoot(readStack(cpu, 0), rounding(cpu)))
}

const roundTop: Semantics = (cpu) => {
  if (isEmpty(cpu, 0)) underflow(cpu, 0)
  else finish(cpu, 0, whole(readStack(cpu, 0), rounding(cpu)))
}

/** FRNDINT: keeps the sign of what becomes 0. */
function whole(value: Float, { mode, unmasked }: Rounding): Rounded {
  if (value.kind === 'unsupported') return { value: INDEFINITE, flags: INVALID, up: false }
  if (isNan(value)) return { value: quieted(value), flags: isSignaling(value) ? INVALID : 0, up: false }
  if (value.kind !== 'finite' || value.exponent >= 0) return { value, flags: 0, up: false }
  if (value.denormal && (unmasked & DENORMAL) !== 0) return { value, flags: DENORMAL, up: false }
  const { integer, inexact, up } = roundToInteger(value, mode)
  const flags = (inexact ? PRECISION : 0) | (value.denormal ? DENORMAL : 0)
  return { value: finite(value.negative, integer < 0n ? -integer : integer, 0), flags, up }
}

const family = (name: string, operation: Operation, reversed: boolean): readonly (readonly [string, Semantics])[] => [
  [`f${name}`, dyadic(operation, reversed, false)],
  [`f${name}p`, dyadic(operation, reversed, true)],
  [`fi${name}`, dyadic(operation, reversed, false, true)],
]

/** x87 arithmetic (SDM 1 8.3.5), exact to the 80 bits of a register. */
export const x87Arithmetic: Readonly<Record<string, Semantics>> = Object.fromEntries(
  [
    ...family('add', 'add', false),
    ...family('sub', 'sub', false),
    ...family('subr', 'sub', true),
    ...family('mul', 'mul', false),
    ...family('div', 'div', false),
    ...family('divr', 'div', true),
    ['fsqrt', root] as const,
    ['frndint', roundTop] as const,
  ].map(([mnemonic, execute]) => [mnemonic, waiting(execute)]),
)
