import { bitLength, type Float, INDEFINITE, infinity, isNan, isSignaling, negated, quieted, zero } from './number.js'
import { DENORMAL, INVALID, ROUND_DOWN, type Rounded, type Rounding, round, ZERO_DIVIDE } from './round.js'

export type Operation = 'add' | 'sub' | 'mul' | 'div'

/** Which of two NaNs is the result: the first operand (SSE), or the one with the larger significand (x87). */
export type NanRule = 'first' | 'larger'

/** Bits of a quotient or a root beyond which a sticky bit is as good as the rest: the widest precision and two more. */
const ENOUGH = 66
/** #IA, #D and #Z are found before the operation: unmasked, they keep it from happening (SDM 1 4.9.2). */
const BEFORE = INVALID | DENORMAL | ZERO_DIVIDE

const plain = (value: Float, flags = 0): Rounded => ({ value, flags, up: false })
export const invalid = (): Rounded => plain(INDEFINITE, INVALID)

/** The result of an operation with a NaN among its operands (SDM 1 table 4-7). */
export function propagated(a: Float, b: Float, rule: NanRule): Rounded {
  const flags = isSignaling(a) || isSignaling(b) ? INVALID : 0
  if (!isNan(b)) return plain(quieted(a), flags)
  if (!isNan(a)) return plain(quieted(b), flags)
  if (rule === 'first') return plain(quieted(a), flags)
  if (isSignaling(a) !== isSignaling(b)) return plain(isSignaling(a) ? b : a, flags)
  const first = a.significand === b.significand ? b.negative : a.significand > b.significand
  return plain(quieted(first ? a : b), flags)
}

/**
 * a + b, a − b, a × b or a ÷ b, rounded once. Where an unmasked #IA, #D or #Z forbids the operation only the flags of the
 * answer mean anything.
 */
export function calculate(operation: Operation, a: Float, b: Float, how: Rounding, rule: NanRule): Rounded {
  if (a.kind === 'unsupported' || b.kind === 'unsupported') return invalid()
  if (isNan(a) || isNan(b)) return propagated(a, b, rule)
  const special = specialCase(operation, a, b)
  if (special !== null && (special.flags & BEFORE) !== 0) return special
  const before = a.denormal || b.denormal ? DENORMAL : 0
  if ((before & how.unmasked) !== 0) return plain(INDEFINITE, before)
  const result = special ?? finiteCase(operation, a, b, how)
  return { ...result, flags: result.flags | before }
}

/** Infinities, and zeros in products and quotients; null where there is something to calculate. */
function specialCase(operation: Operation, a: Float, b: Float): Rounded | null {
  const negative = a.negative !== b.negative
  switch (operation) {
    case 'add':
    case 'sub': {
      const right = operation === 'sub' ? negated(b) : b
      if (a.kind === 'infinity') {
        return right.kind === 'infinity' && right.negative !== a.negative ? invalid() : plain(infinity(a.negative))
      }
      return right.kind === 'infinity' ? plain(infinity(right.negative)) : null
    }
    case 'mul':
      if (a.kind === 'infinity' || b.kind === 'infinity') {
        return a.kind === 'zero' || b.kind === 'zero' ? invalid() : plain(infinity(negative))
      }
      return a.kind === 'zero' || b.kind === 'zero' ? plain(zero(negative)) : null
    case 'div':
      if (a.kind === 'infinity') return b.kind === 'infinity' ? invalid() : plain(infinity(negative))
      if (b.kind === 'infinity') return plain(zero(negative))
      if (b.kind === 'zero') return a.kind === 'zero' ? invalid() : plain(infinity(negative), ZERO_DIVIDE)
      return a.kind === 'zero' ? plain(zero(negative)) : null
  }
}

function finiteCase(operation: Operation, a: Float, b: Float, how: Rounding): Rounded {
  const negative = a.negative !== b.negative
  switch (operation) {
    case 'mul':
      return round(negative, a.significand * b.significand, a.exponent + b.exponent, false, how)
    case 'div': {
      const shift = Math.max(0, ENOUGH + bitLength(b.significand) - bitLength(a.significand))
      const dividend = a.significand << BigInt(shift)
      const quotient = dividend / b.significand
      const sticky = quotient * b.significand !== dividend
      return round(negative, quotient, a.exponent - b.exponent - shift, sticky, how)
    }
    default:
      return sum(a, operation === 'sub' ? negated(b) : b, how)
  }
}

/** A sum that is exactly 0 is +0, −0 when rounding down; that of two equal zeros has their sign (SDM 1 4.8.3.1). */
function sum(a: Float, b: Float, how: Rounding): Rounded {
  if (a.kind === 'zero' && b.kind === 'zero' && a.negative === b.negative) return plain(zero(a.negative))
  const exponent = a.kind === 'zero' ? b.exponent : b.kind === 'zero' ? a.exponent : Math.min(a.exponent, b.exponent)
  const total = signedAt(a, exponent) + signedAt(b, exponent)
  if (total === 0n) return plain(zero(how.mode === ROUND_DOWN))
  return round(total < 0n, total < 0n ? -total : total, exponent, false, how)
}

/** A finite number in units of `2^exponent`. */
function signedAt(value: Float, exponent: number): bigint {
  if (value.kind === 'zero') return 0n
  const magnitude = value.significand << BigInt(value.exponent - exponent)
  return value.negative ? -magnitude : magnitude
}

/** The square root; that of −0 is −0. */
export function squareRoot(a: Float, how: Rounding): Rounded {
  if (a.kind === 'unsupported') return invalid()
  if (isNan(a)) return propagated(a, a, 'first')
  if (a.kind === 'zero') return plain(zero(a.negative))
  if (a.negative) return invalid()
  if (a.kind === 'infinity') return plain(infinity(false))
  const before = a.denormal ? DENORMAL : 0
  if ((before & how.unmasked) !== 0) return plain(INDEFINITE, before)
  const shift = Math.max(0, 2 * ENOUGH - bitLength(a.significand))
  // the exponent that is halved must be even
  const even = shift + ((a.exponent - shift) & 1)
  const radicand = a.significand << BigInt(even)
  const root = integerRoot(radicand)
  const result = round(false, root, (a.exponent - even) / 2, root * root !== radicand, how)
  return { ...result, flags: result.flags | before }
}

/** The largest integer whose square does not exceed a positive number (Newton's method from above). */
function integerRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1)
  for (;;) {
    const next = (root + value / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

/** The number in another format: loads and stores that convert. Signaling NaNs are #IA, denormals #D if `denormals`. */
export function converted(a: Float, how: Rounding, denormals: boolean): Rounded {
  if (a.kind === 'unsupported') return invalid()
  if (isNan(a)) return propagated(a, a, 'first')
  if (a.kind !== 'finite') return plain(a)
  const before = a.denormal && denormals ? DENORMAL : 0
  if ((before & how.unmasked) !== 0) return plain(INDEFINITE, before)
  const result = round(a.negative, a.significand, a.exponent, false, how)
  return { ...result, flags: result.flags | before }
}

export type Order = 'less' | 'equal' | 'greater' | 'unordered'

/** How two numbers compare; zeros are equal whatever their sign. */
export function compare(a: Float, b: Float): Order {
  if (a.kind === 'unsupported' || b.kind === 'unsupported' || isNan(a) || isNan(b)) return 'unordered'
  if (a.kind === 'zero' && b.kind === 'zero') return 'equal'
  if (a.kind === 'infinity' || b.kind === 'infinity') {
    const rank = (value: Float): number => (value.kind === 'infinity' ? (value.negative ? -1 : 1) : 0)
    return ordered(BigInt(rank(a) - rank(b)))
  }
  const exponent = Math.min(a.kind === 'zero' ? b.exponent : a.exponent, b.kind === 'zero' ? a.exponent : b.exponent)
  return ordered(signedAt(a, exponent) - signedAt(b, exponent))
}

const ordered = (difference: bigint): Order => (difference < 0n ? 'less' : difference > 0n ? 'greater' : 'equal')
