/**
 * Floating-point numbers taken apart, whatever the format that they came from: arithmetic is exact on these and is rounded
 * once, to the precision and range of the destination (SDM 1 4.8, 8.3, 10.2).
 */

export type FloatKind = 'zero' | 'finite' | 'infinity' | 'nan' | 'unsupported'

/**
 * A finite value is `significand × 2^exponent`. The significand of a NaN is what x87 holds: integer bit 63, quiet bit 62,
 * payload below. `unsupported` is an x87 encoding that no arithmetic takes (SDM 1 8.2.2).
 */
export interface Float {
  readonly kind: FloatKind
  readonly negative: boolean
  readonly significand: bigint
  readonly exponent: number
  /** It was denormal where it came from: #D looks at that. */
  readonly denormal: boolean
}

/** Precision in bits, integer bit included, and the exponents of the smallest and the largest normal number. */
export interface FloatFormat {
  readonly precision: number
  readonly lowest: number
  readonly highest: number
}

export const SINGLE: FloatFormat = { precision: 24, lowest: -126, highest: 127 }
export const DOUBLE: FloatFormat = { precision: 53, lowest: -1022, highest: 1023 }
/** What an x87 register holds. */
export const EXTENDED: FloatFormat = { precision: 64, lowest: -16382, highest: 16383 }

const INTEGER_BIT = 1n << 63n
const QUIET_BIT = 1n << 62n
const EXTENDED_EXPONENT = 0x7fff

const float = (kind: FloatKind, negative: boolean, significand = 0n, exponent = 0, denormal = false): Float => ({
  kind,
  negative,
  significand,
  exponent,
  denormal,
})

export const zero = (negative: boolean): Float => float('zero', negative)
export const infinity = (negative: boolean): Float => float('infinity', negative)
export const finite = (negative: boolean, significand: bigint, exponent: number): Float =>
  float(significand === 0n ? 'zero' : 'finite', negative, significand, exponent)
/** The QNaN that stands for the result of an invalid operation. */
export const INDEFINITE: Float = float('nan', true, INTEGER_BIT | QUIET_BIT)

export const isNan = (value: Float): boolean => value.kind === 'nan'
export const isSignaling = (value: Float): boolean => value.kind === 'nan' && (value.significand & QUIET_BIT) === 0n
export const quieted = (value: Float): Float => ({ ...value, significand: value.significand | QUIET_BIT })
export const negated = (value: Float): Float => ({ ...value, negative: !value.negative })

/** How many bits a positive number takes. */
export function bitLength(value: bigint): number {
  if (value === 0n) return 0
  const hex = value.toString(16)
  return hex.length * 4 - (Math.clz32(Number.parseInt(hex[0]!, 16)) - 28)
}

const widthOf = ({ precision }: FloatFormat): number => (precision === SINGLE.precision ? 32 : 64)

/** A number from the bits of {@link SINGLE} or {@link DOUBLE}. */
export function fromIeee(bits: bigint, format: FloatFormat): Float {
  const fractionBits = BigInt(format.precision - 1)
  const fraction = bits & ((1n << fractionBits) - 1n)
  const negative = ((bits >> BigInt(widthOf(format) - 1)) & 1n) === 1n
  const top = format.highest + format.highest + 1
  const biased = Number(bits >> fractionBits) & top
  if (biased === top) {
    if (fraction === 0n) return infinity(negative)
    return float('nan', negative, INTEGER_BIT | (fraction << BigInt(64 - format.precision)))
  }
  const unit = format.lowest - (format.precision - 1)
  if (biased === 0) return fraction === 0n ? zero(negative) : float('finite', negative, fraction, unit, true)
  return float('finite', negative, fraction | (1n << fractionBits), unit + biased - 1)
}

/** The bits of a number that {@link SINGLE} or {@link DOUBLE} can hold exactly; a NaN loses the low end of its payload. */
export function toIeee(value: Float, format: FloatFormat): bigint {
  const fractionBits = BigInt(format.precision - 1)
  const mask = (1n << fractionBits) - 1n
  const sign = value.negative ? 1n << BigInt(widthOf(format) - 1) : 0n
  const top = BigInt(format.highest + format.highest + 1) << fractionBits
  if (value.kind === 'zero') return sign
  if (value.kind === 'infinity') return sign | top
  if (value.kind !== 'finite') return sign | top | ((value.significand >> BigInt(64 - format.precision)) & mask)
  const [significand, biased] = placed(value, format)
  return sign | (BigInt(biased) << fractionBits) | (significand & mask)
}

/** A number from an x87 register: its significand, and its sign and exponent (16 bits). */
export function fromExtended(significand: bigint, signExponent: number): Float {
  const negative = (signExponent & 0x8000) !== 0
  const biased = signExponent & EXTENDED_EXPONENT
  const unit = EXTENDED.lowest - 63
  const integer = (significand & INTEGER_BIT) !== 0n
  if (biased === 0) return significand === 0n ? zero(negative) : float('finite', negative, significand, unit, true)
  if (!integer) return float('unsupported', negative, significand)
  if (biased !== EXTENDED_EXPONENT) return float('finite', negative, significand, unit + biased - 1)
  return significand === INTEGER_BIT ? infinity(negative) : float('nan', negative, significand)
}

/** What an x87 register holds of a number: significand, sign and exponent. */
export function toExtended(value: Float): readonly [significand: bigint, signExponent: number] {
  const sign = value.negative ? 0x8000 : 0
  if (value.kind === 'zero') return [0n, sign]
  if (value.kind === 'infinity') return [INTEGER_BIT, sign | EXTENDED_EXPONENT]
  if (value.kind !== 'finite') return [value.significand, sign | EXTENDED_EXPONENT]
  const [significand, biased] = placed(value, EXTENDED)
  return [significand, sign | biased]
}

/** Significand with the integer bit in its place, and biased exponent: 0 for a denormal. */
function placed({ significand, exponent }: Float, format: FloatFormat): readonly [bigint, number] {
  const unit = Math.max(exponent + bitLength(significand) - format.precision, format.lowest - (format.precision - 1))
  const shift = BigInt(exponent - unit)
  const moved = shift >= 0n ? significand << shift : significand >> -shift
  const normal = bitLength(moved) === format.precision
  return [moved, normal ? unit + format.precision - format.lowest : 0]
}
