import {
  ARITHMETIC_FLAGS,
  CF,
  type Cpu,
  type Decoded,
  type Operand,
  PF,
  RFLAGS,
  type Semantics,
  ZF,
} from '@trapframe/core'
import { calculate, compare, type Operation, type Order, squareRoot } from '../float/arithmetic.js'
import {
  DOUBLE,
  type Float,
  type FloatFormat,
  fromIeee,
  isNan,
  isSignaling,
  SINGLE,
  toIeee,
  zero,
} from '../float/number.js'
import { DENORMAL, INVALID } from '../float/round.js'
import { mxcsr } from './fpu-state.js'
import { MXCSR_DAZ, noteSse, sseRounding } from './vector-control.js'
import { readScalarBits, readVector, requireSse, writeScalarBits, writeVector } from './vector-operand.js'

/** The bits of one element from those of its two sources, and the exceptions that it raises. */
type Element = (cpu: Cpu, a: bigint, b: bigint, format: FloatFormat) => readonly [bits: bigint, flags: number]

const bytesOf = (format: FloatFormat): number => (format === SINGLE ? 4 : 8)

/** An element; with MXCSR.DAZ a denormal one is a zero of its sign. */
export function element(cpu: Cpu, bits: bigint, format: FloatFormat): Float {
  const value = fromIeee(bits, format)
  return value.denormal && (mxcsr(cpu) & MXCSR_DAZ) !== 0 ? zero(value.negative) : value
}

/** One element at the low end; the rest of the destination stays. */
function scalar(format: FloatFormat, calculateElement: Element): Semantics {
  return (cpu, insn) => {
    requireSse(cpu, insn)
    const bytes = bytesOf(format)
    const target = insn.operands[0]!
    const b = readScalarBits(cpu, insn, insn.operands[1]!, bytes)
    const a = readScalarBits(cpu, insn, target, bytes)
    const [bits, flags] = calculateElement(cpu, a, b, format)
    noteSse(cpu, flags)
    writeScalarBits(cpu, target, bytes, bits)
  }
}

/** All elements of 128 bits: the exceptions of all are noted together, and none is written if one faults. */
function packed(format: FloatFormat, calculateElement: Element): Semantics {
  return (cpu, insn) => {
    requireSse(cpu, insn)
    const target = insn.operands[0]!
    const right = elementsOf(readVector(cpu, insn, insn.operands[1]!, true), format)
    const left = elementsOf(readVector(cpu, insn, target, true), format)
    const results = left.map((a, i) => calculateElement(cpu, a, right[i]!, format))
    noteSse(
      cpu,
      results.reduce((all, [, flags]) => all | flags, 0),
    )
    const bits = results.map(([value]) => value)
    writeVector(cpu, insn, target, wordsOf(bits, format), true)
  }
}

function elementsOf(words: readonly number[], format: FloatFormat): bigint[] {
  const values = words.map((word) => BigInt(word >>> 0))
  if (format === SINGLE) return values
  return [values[0]! | (values[1]! << 32n), values[2]! | (values[3]! << 32n)]
}

function wordsOf(elements: readonly bigint[], format: FloatFormat): number[] {
  const low = (bits: bigint): number => Number(BigInt.asIntN(32, bits))
  return elements.flatMap((bits) => (format === SINGLE ? [low(bits)] : [low(bits), low(bits >> 32n)]))
}

const arithmetic =
  (operation: Operation): Element =>
  (cpu, a, b, format) => {
    const { value, flags } = calculate(
      operation,
      element(cpu, a, format),
      element(cpu, b, format),
      sseRounding(cpu, format),
      'first',
    )
    return [toIeee(value, format), flags]
  }

const root: Element = (cpu, _, b, format) => {
  const { value, flags } = squareRoot(element(cpu, b, format), sseRounding(cpu, format))
  return [toIeee(value, format), flags]
}

/** MIN and MAX: the second operand unless the first is less (or greater); any NaN is #IA (SDM 2B MINSS). */
const extreme =
  (wanted: Order): Element =>
  (cpu, aBits, bBits, format) => {
    const [a, b] = [element(cpu, aBits, format), element(cpu, bBits, format)]
    const nan = isNan(a) || isNan(b)
    const flags = nan ? INVALID : a.denormal || b.denormal ? DENORMAL : 0
    const chosen = compare(a, b) === wanted ? a : b
    return [toIeee(nan ? b : chosen, format), flags]
  }

const HOLDS: readonly ((order: Order) => boolean)[] = [
  (order) => order === 'equal',
  (order) => order === 'less',
  (order) => order === 'less' || order === 'equal',
  (order) => order === 'unordered',
]
/** Predicates 1, 2, 5, 6 (less, less or equal, and their negations) take a quiet NaN for #IA too (SDM 2A CMPSS). */
const SIGNALING_PREDICATES = 0b0110_0110

/** CMPSS and its kin: all ones where the predicate of the immediate holds. */
function comparison(format: FloatFormat, form: (format: FloatFormat, of: Element) => Semantics): Semantics {
  const byPredicate = Array.from({ length: 8 }, (_, predicate) => form(format, comparedElement(predicate)))
  return (cpu, insn) => byPredicate[insn.operands[2]!.lo & 7]!(cpu, insn)
}

const comparedElement =
  (predicate: number): Element =>
  (cpu, aBits, bBits, format) => {
    const [a, b] = [element(cpu, aBits, format), element(cpu, bBits, format)]
    const order = compare(a, b)
    const holds = HOLDS[predicate & 3]!(order) !== predicate >= 4
    const ones = format === SINGLE ? 0xffff_ffffn : 0xffff_ffff_ffff_ffffn
    return [holds ? ones : 0n, comparisonFlags(a, b, ((SIGNALING_PREDICATES >>> predicate) & 1) === 1)]
  }

/** `anyNan`: quiet NaNs are #IA too. */
function comparisonFlags(a: Float, b: Float, anyNan: boolean): number {
  if (isSignaling(a) || isSignaling(b) || (anyNan && (isNan(a) || isNan(b)))) return INVALID
  if (isNan(a) || isNan(b)) return 0
  return a.denormal || b.denormal ? DENORMAL : 0
}

const FLAGS_OF: Readonly<Record<Order, number>> = { greater: 0, less: CF, equal: ZF, unordered: ZF | PF | CF }

/** COMISS and UCOMISS: ZF, PF, CF tell the order; OF, SF and AF become 0. */
function compareIntoFlags(format: FloatFormat, anyNan: boolean): Semantics {
  return (cpu, insn) => {
    requireSse(cpu, insn)
    const [a, b] = [operand(cpu, insn, insn.operands[0]!, format), operand(cpu, insn, insn.operands[1]!, format)]
    noteSse(cpu, comparisonFlags(a, b, anyNan))
    cpu.words[RFLAGS] = (cpu.words[RFLAGS]! & ~ARITHMETIC_FLAGS) | FLAGS_OF[compare(a, b)]
  }
}

/** A scalar operand as a number. */
export function operand(cpu: Cpu, insn: Decoded, op: Operand, format: FloatFormat): Float {
  return element(cpu, readScalarBits(cpu, insn, op, bytesOf(format)), format)
}

const family = (name: string, of: Element): readonly (readonly [string, Semantics])[] => [
  [`${name}ss`, scalar(SINGLE, of)],
  [`${name}sd`, scalar(DOUBLE, of)],
  [`${name}ps`, packed(SINGLE, of)],
  [`${name}pd`, packed(DOUBLE, of)],
]

/** SSE and SSE2 arithmetic and comparison, exact, with the exceptions of MXCSR (SDM 1 11.4.1, 11.5). */
export const vectorArithmetic: Readonly<Record<string, Semantics>> = {
  ...Object.fromEntries([
    ...family('add', arithmetic('add')),
    ...family('sub', arithmetic('sub')),
    ...family('mul', arithmetic('mul')),
    ...family('div', arithmetic('div')),
    ...family('sqrt', root),
    ...family('min', extreme('less')),
    ...family('max', extreme('greater')),
  ]),
  cmpss: comparison(SINGLE, scalar),
  cmpsd: comparison(DOUBLE, scalar),
  cmpps: comparison(SINGLE, packed),
  cmppd: comparison(DOUBLE, packed),
  comiss: compareIntoFlags(SINGLE, true),
  comisd: compareIntoFlags(DOUBLE, true),
  ucomiss: compareIntoFlags(SINGLE, false),
  ucomisd: compareIntoFlags(DOUBLE, false),
}
