import { describe, expect, test } from 'vitest'
import { calculate, converted, propagated, squareRoot } from './arithmetic.js'
import { DOUBLE, EXTENDED, fromExtended, fromIeee, SINGLE, toExtended, toIeee } from './number.js'
import { DENORMAL, INVALID, OVERFLOW, PRECISION, ROUND_TO_ZERO, ROUND_UP, UNDERFLOW, ZERO_DIVIDE } from './round.js'

const double = (value: number) => fromIeee(new BigUint64Array(Float64Array.of(value).buffer)[0]!, DOUBLE)
const MASKED = { format: DOUBLE, mode: 0, unmasked: 0 }

describe('exceptions of an operation', () => {
  test.each([
    ['1 / 0', 'div', 1, 0, ZERO_DIVIDE],
    ['0 / 0', 'div', 0, 0, INVALID],
    ['infinity − infinity', 'sub', Infinity, Infinity, INVALID],
    ['infinity × 0', 'mul', Infinity, 0, INVALID],
    ['a denormal', 'add', 5e-324, 1, DENORMAL | PRECISION],
    ['too large', 'mul', 1e300, 1e300, OVERFLOW | PRECISION],
    ['too small', 'mul', 1e-300, 1e-300, UNDERFLOW | PRECISION],
    ['tiny but exact: no underflow while it is masked', 'mul', 2 ** -1022, 0.5, 0],
    ['exact', 'add', 1, 2, 0],
  ] as const)('%s', (_, operation, a, b, flags) => {
    expect(calculate(operation, double(a), double(b), MASKED, 'first').flags).toBe(flags)
  })

  test('tiny and exact is #U where that is not masked', () => {
    const how = { ...MASKED, unmasked: UNDERFLOW }
    expect(calculate('mul', double(2 ** -1022), double(0.5), how, 'first').flags).toBe(UNDERFLOW)
  })

  test('an unmasked #O moves the exponent of what an x87 register gets by 24576', () => {
    const how = { format: EXTENDED, mode: 0, unmasked: OVERFLOW, wrap: 24576 }
    const large = fromExtended(1n << 63n, 0x7ffe)
    const { value, flags } = calculate('mul', large, large, how, 'larger')
    expect([flags, toExtended(value)]).toEqual([OVERFLOW, [1n << 63n, 0x7ffe + 0x7ffe - 0x3fff - 24576]])
  })
})

describe('overflow by rounding mode', () => {
  test.each([
    [0, Infinity],
    [1, Number.MAX_VALUE],
    [ROUND_UP, Infinity],
    [ROUND_TO_ZERO, Number.MAX_VALUE],
  ])('mode %i: %d', (mode, expected) => {
    const { value } = calculate('mul', double(1e300), double(1e300), { ...MASKED, mode }, 'first')
    expect(toIeee(value, DOUBLE)).toBe(toIeee(double(expected), DOUBLE))
  })
})

describe('NaNs', () => {
  const quiet = (payload: bigint) => fromExtended((3n << 62n) | payload, 0x7fff)
  const signaling = (payload: bigint) => fromExtended((1n << 63n) | payload, 0x7fff)

  test('SSE takes the first, x87 the larger significand, and a quiet one before a signaling one', () => {
    expect(propagated(quiet(1n), quiet(2n), 'first').value).toEqual(quiet(1n))
    expect(propagated(quiet(1n), quiet(2n), 'larger').value).toEqual(quiet(2n))
    expect(propagated(signaling(9n), quiet(2n), 'larger')).toMatchObject({ value: quiet(2n), flags: INVALID })
    expect(propagated(signaling(9n), quiet(2n), 'first').value).toEqual(quiet(9n))
  })

  test('a signaling NaN becomes quiet when its format changes', () => {
    const { value, flags } = converted(fromIeee(0x7f80_0001n, SINGLE), { ...MASKED, format: EXTENDED }, true)
    expect([flags, toExtended(value)]).toEqual([INVALID, [(3n << 62n) | (1n << 40n), 0x7fff]])
  })

  test('encodings that x87 does not know are invalid operands', () => {
    const unnormal = fromExtended(1n, 0x3fff)
    expect(calculate('add', unnormal, double(1), MASKED, 'larger').flags).toBe(INVALID)
    expect(squareRoot(unnormal, MASKED).flags).toBe(INVALID)
  })
})
