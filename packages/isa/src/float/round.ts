import { bitLength, type Float, type FloatFormat, finite, infinity, zero } from './number.js'

/** Exception flags, the same bits in MXCSR and in the x87 status word; the masks have the same order (SDM 1 4.9.1). */
export const INVALID = 1 << 0
export const DENORMAL = 1 << 1
export const ZERO_DIVIDE = 1 << 2
export const OVERFLOW = 1 << 3
export const UNDERFLOW = 1 << 4
export const PRECISION = 1 << 5
export const ALL_EXCEPTIONS = 0x3f

/** Rounding control: to nearest even, down, up, towards zero (SDM 1 table 4-8). */
export const ROUND_NEAREST = 0
export const ROUND_DOWN = 1
export const ROUND_UP = 2
export const ROUND_TO_ZERO = 3

/** How a result is rounded. */
export interface Rounding {
  readonly format: FloatFormat
  /** One of the four rounding controls. */
  readonly mode: number
  /** Exceptions that are not masked. */
  readonly unmasked: number
  /** Tiny results become 0 while #U is masked (MXCSR.FTZ). */
  readonly flushToZero?: boolean
  /** What an x87 register gets when #O or #U is not masked: the exponent is moved by this much. */
  readonly wrap?: number
}

/** A rounded result and the exceptions that it raised. `up`: it is larger in magnitude than the exact one (C1). */
export interface Rounded {
  readonly value: Float
  readonly flags: number
  readonly up: boolean
}

/**
 * Rounds `significand × 2^exponent`, plus something smaller than the last bit if `sticky`. Tininess is judged after
 * rounding; a masked underflow is one only if the result is inexact too (SDM 1 4.9.1.5).
 */
export function round(
  negative: boolean,
  significand: bigint,
  exponent: number,
  sticky: boolean,
  how: Rounding,
): Rounded {
  const { precision, lowest, highest } = how.format
  const free = cut(negative, significand, exponent, sticky, exponent + bitLength(significand) - precision, how.mode)
  const magnitude = free.exponent + bitLength(free.significand) - 1
  const inexact = free.inexact ? PRECISION : 0
  if (magnitude > highest) return overflow(negative, free, inexact, how)
  if (magnitude >= lowest)
    return { value: finite(negative, free.significand, free.exponent), flags: inexact, up: free.up }
  if ((how.unmasked & UNDERFLOW) !== 0) {
    const value = finite(negative, free.significand, free.exponent + (how.wrap ?? 0))
    return { value, flags: UNDERFLOW | inexact, up: free.up }
  }
  if (how.flushToZero === true) return { value: zero(negative), flags: UNDERFLOW | PRECISION, up: false }
  const tiny = cut(negative, significand, exponent, sticky, lowest - (precision - 1), how.mode)
  const value = finite(negative, tiny.significand, tiny.exponent)
  return { value, flags: tiny.inexact ? UNDERFLOW | PRECISION : 0, up: tiny.up }
}

/** A whole number: how FIST, CVTSS2SI and FRNDINT round. */
export function roundToInteger(
  value: Float,
  mode: number,
): { readonly integer: bigint; inexact: boolean; up: boolean } {
  const { significand, inexact, up } = cut(value.negative, value.significand, value.exponent, false, 0, mode)
  return { integer: value.negative ? -significand : significand, inexact, up }
}

interface Cut {
  readonly significand: bigint
  readonly exponent: number
  readonly inexact: boolean
  readonly up: boolean
}

/** The multiple of `2^unit` next to a value. */
function cut(
  negative: boolean,
  significand: bigint,
  exponent: number,
  sticky: boolean,
  unit: number,
  mode: number,
): Cut {
  const shift = BigInt(unit - exponent)
  if (shift <= 0n) {
    // exact unless sticky, and then the caller gave more bits than the precision, so that this is not reached
    return { significand: significand << -shift, exponent: unit, inexact: sticky, up: false }
  }
  const kept = significand >> shift
  const rest = significand - (kept << shift)
  const inexact = rest !== 0n || sticky
  if (!inexact) return { significand: kept, exponent: unit, inexact, up: false }
  const half = 1n << (shift - 1n)
  const aboveHalf = rest > half || (rest === half && (sticky || (kept & 1n) === 1n))
  const up = mode === ROUND_NEAREST ? aboveHalf : mode === ROUND_TO_ZERO ? false : (mode === ROUND_DOWN) === negative
  return { significand: up ? kept + 1n : kept, exponent: unit, inexact, up }
}

function overflow(negative: boolean, free: Cut, inexact: number, how: Rounding): Rounded {
  if ((how.unmasked & OVERFLOW) !== 0) {
    const value = finite(negative, free.significand, free.exponent - (how.wrap ?? 0))
    return { value, flags: OVERFLOW | inexact, up: free.up }
  }
  const { precision, highest } = how.format
  const outward = how.mode === ROUND_NEAREST || (how.mode !== ROUND_TO_ZERO && (how.mode === ROUND_DOWN) === negative)
  const largest = finite(negative, (1n << BigInt(precision)) - 1n, highest - (precision - 1))
  return { value: outward ? infinity(negative) : largest, flags: OVERFLOW | PRECISION, up: outward }
}
