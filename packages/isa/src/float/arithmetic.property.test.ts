import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { calculate, compare, type Operation, squareRoot } from './arithmetic.js'
import { DOUBLE, EXTENDED, type FloatFormat, fromExtended, fromIeee, SINGLE, toExtended, toIeee } from './number.js'
import { PRECISION, ROUND_DOWN, ROUND_NEAREST, ROUND_UP } from './round.js'

const view = new DataView(new ArrayBuffer(8))

function numberOf(bits: bigint, format: FloatFormat): number {
  if (format === SINGLE) {
    view.setUint32(0, Number(bits))
    return view.getFloat32(0)
  }
  view.setBigUint64(0, bits)
  return view.getFloat64(0)
}

const OPERATIONS: readonly (readonly [Operation, (a: number, b: number) => number])[] = [
  ['add', (a, b) => a + b],
  ['sub', (a, b) => a - b],
  ['mul', (a, b) => a * b],
  ['div', (a, b) => a / b],
]

/** Any bits, and pairs that are near each other. */
const anyBits = (format: FloatFormat) =>
  fc.bigInt({ min: 0n, max: format === SINGLE ? 0xffff_ffffn : (1n << 64n) - 1n })

describe.each([
  ['single', SINGLE, Math.fround],
  ['double', DOUBLE, (value: number) => value],
] as const)('%s precision, to nearest, against the arithmetic of the CPU that runs the test', (_, format, cut) => {
  test.each(OPERATIONS)('%s', (operation, reference) => {
    fc.assert(
      fc.property(anyBits(format), anyBits(format), fc.boolean(), (a, other, near) => {
        const b = near ? a ^ (other & 0xffffn) : other
        const how = { format, mode: ROUND_NEAREST, unmasked: 0 }
        const { value } = calculate(operation, fromIeee(a, format), fromIeee(b, format), how, 'first')
        // a double-precision operation that is rounded again is right for single precision: 53 ≥ 2 × 24 + 2
        const expected = cut(reference(numberOf(a, format), numberOf(b, format)))
        const actual = numberOf(toIeee(value, format), format)
        expect(Object.is(actual, expected)).toBe(true)
      }),
    )
  })

  test('square root and order', () => {
    fc.assert(
      fc.property(anyBits(format), anyBits(format), (a, b) => {
        const [x, y] = [numberOf(a, format), numberOf(b, format)]
        const { value } = squareRoot(fromIeee(a, format), { format, mode: ROUND_NEAREST, unmasked: 0 })
        expect(numberOf(toIeee(value, format), format)).toBe(cut(Math.sqrt(x)))
        const order = x < y ? 'less' : x > y ? 'greater' : x === y ? 'equal' : 'unordered'
        expect(compare(fromIeee(a, format), fromIeee(b, format))).toBe(order)
      }),
    )
  })
})

test('rounding down and up enclose the exact result, and meet exactly when #P is not raised', () => {
  const operand = anyBits(DOUBLE).map((bits) => fromIeee(bits & ~(1n << 62n), DOUBLE))
  fc.assert(
    fc.property(operand, operand, fc.constantFrom(...OPERATIONS), (a, b, [operation]) => {
      const rounded = (mode: number) => calculate(operation, a, b, { format: EXTENDED, mode, unmasked: 0 }, 'larger')
      const [down, up] = [rounded(ROUND_DOWN), rounded(ROUND_UP)]
      const same = compare(down.value, up.value)
      if (same === 'unordered') return
      expect(same).toBe((down.flags & PRECISION) === 0 ? 'equal' : 'less')
    }),
  )
})

test('what a register of 80 bits holds comes back as it was', () => {
  const significand = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
  fc.assert(
    fc.property(significand, fc.nat({ max: 0xffff }), (bits, signExponent) => {
      const value = fromExtended(bits, signExponent)
      const pseudoDenormal = (signExponent & 0x7fff) === 0 && bits >> 63n === 1n
      if (value.kind === 'unsupported' || pseudoDenormal) return
      expect(toExtended(value)).toEqual([bits, signExponent])
    }),
  )
})
