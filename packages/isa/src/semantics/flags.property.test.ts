import { AF, ARITHMETIC_FLAGS, CF, type Cpu, OF, PF, SF, step, ZF } from '@trapframe/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assemble } from '../assemble/assemble.js'
import { CODE, testCpu } from './test-machine.js'

/**
 * Arithmetic against the same arithmetic written with BigInt and nothing of the code under test: values and every
 * defined flag, for all operand sizes.
 */

interface Expected {
  readonly value: bigint
  readonly flags: number
  /** Flags that the manual defines here. */
  readonly defined: number
}

type Operation = (a: bigint, b: bigint, carry: bigint, bits: number) => Expected

const REGISTERS: Readonly<Record<number, readonly [string, string]>> = {
  8: ['al', 'dl'],
  16: ['ax', 'dx'],
  32: ['eax', 'edx'],
  64: ['rax', 'rdx'],
}

function signOf(value: bigint, bits: number): bigint {
  return (value >> BigInt(bits - 1)) & 1n
}

/** SF, ZF and PF. */
function shapeFlags(value: bigint, bits: number): number {
  const ones = (value & 0xffn).toString(2).replaceAll('0', '').length
  return (value === 0n ? ZF : 0) | (signOf(value, bits) === 1n ? SF : 0) | (ones % 2 === 0 ? PF : 0)
}

function sum(a: bigint, b: bigint, carry: bigint, bits: number): Expected {
  const value = BigInt.asUintN(bits, a + b + carry)
  const exact = BigInt.asIntN(bits, a) + BigInt.asIntN(bits, b) + carry
  const flags =
    shapeFlags(value, bits) |
    (a + b + carry !== value ? CF : 0) |
    ((a & 15n) + (b & 15n) + carry > 15n ? AF : 0) |
    (exact !== BigInt.asIntN(bits, value) ? OF : 0)
  return { value, flags, defined: ARITHMETIC_FLAGS }
}

function difference(a: bigint, b: bigint, borrow: bigint, bits: number): Expected {
  const value = BigInt.asUintN(bits, a - b - borrow)
  const exact = BigInt.asIntN(bits, a) - BigInt.asIntN(bits, b) - borrow
  const flags =
    shapeFlags(value, bits) |
    (a < b + borrow ? CF : 0) |
    ((a & 15n) < (b & 15n) + borrow ? AF : 0) |
    (exact !== BigInt.asIntN(bits, value) ? OF : 0)
  return { value, flags, defined: ARITHMETIC_FLAGS }
}

function logical(value: bigint, bits: number): Expected {
  return { value, flags: shapeFlags(value, bits), defined: ARITHMETIC_FLAGS & ~AF }
}

/** INC and DEC: CF as it was. */
function keepingCarry({ value, flags }: Expected, carry: bigint): Expected {
  return { value, flags: (flags & ~CF) | Number(carry), defined: ARITHMETIC_FLAGS }
}

const BINARY: Readonly<Record<string, Operation>> = {
  add: (a, b, _, bits) => sum(a, b, 0n, bits),
  adc: sum,
  sub: (a, b, _, bits) => difference(a, b, 0n, bits),
  sbb: difference,
  cmp: (a, b, _, bits) => ({ ...difference(a, b, 0n, bits), value: a }),
  and: (a, b, _, bits) => logical(a & b, bits),
  or: (a, b, _, bits) => logical(a | b, bits),
  xor: (a, b, _, bits) => logical(a ^ b, bits),
  test: (a, b, _, bits) => ({ ...logical(a & b, bits), value: a }),
}

const UNARY: Readonly<Record<string, Operation>> = {
  inc: (a, _, carry, bits) => keepingCarry(sum(a, 1n, 0n, bits), carry),
  dec: (a, _, carry, bits) => keepingCarry(difference(a, 1n, 0n, bits), carry),
  neg: (a, _b, _, bits) => difference(0n, a, 0n, bits),
  not: (a, _b, carry, bits) => ({ value: BigInt.asUintN(bits, ~a), flags: Number(carry), defined: ARITHMETIC_FLAGS }),
}

/** A shift by a masked count that is not 0; OF is defined for a count of 1. */
function shifted(value: bigint, carry: bigint, overflow: boolean, n: number, bits: number): Expected {
  return {
    value,
    flags: shapeFlags(value, bits) | Number(carry) | (overflow ? OF : 0),
    defined: CF | SF | ZF | PF | (n === 1 ? OF : 0),
  }
}

/** A rotation changes CF and OF only. */
function rotated(value: bigint, carry: bigint, overflow: boolean, n: number): Expected {
  return { value, flags: Number(carry) | (overflow ? OF : 0), defined: CF | (n === 1 ? OF : 0) | SF | ZF | AF | PF }
}

type Shift = (a: bigint, n: number, carry: bigint, bits: number) => Expected

/** One bit at a time, as the manual's pseudo-code goes. */
function repeatedly(
  a: bigint,
  n: number,
  carry: bigint,
  once: (value: bigint, carry: bigint) => readonly [bigint, bigint],
): readonly [value: bigint, carry: bigint] {
  let state: readonly [bigint, bigint] = [a, carry]
  for (let i = 0; i < n; i++) state = once(state[0], state[1])
  return state
}

const SHIFTS: Readonly<Record<string, Shift>> = {
  shl: (a, n, c, bits) => {
    const [value, carry] = repeatedly(a, n, c, (v) => [BigInt.asUintN(bits, v << 1n), signOf(v, bits)])
    return shifted(value, carry, signOf(value, bits) !== carry, n, bits)
  },
  shr: (a, n, c, bits) => {
    const [value, carry] = repeatedly(a, n, c, (v) => [v >> 1n, v & 1n])
    return shifted(value, carry, signOf(a, bits) === 1n, n, bits)
  },
  sar: (a, n, c, bits) => {
    const [value, carry] = repeatedly(BigInt.asIntN(bits, a), n, c, (v) => [v >> 1n, v & 1n])
    return shifted(BigInt.asUintN(bits, value), carry, false, n, bits)
  },
  rol: (a, n, c, bits) => {
    const [value, carry] = repeatedly(a, n, c, (v) => [
      BigInt.asUintN(bits, (v << 1n) | signOf(v, bits)),
      signOf(v, bits),
    ])
    return rotated(value, carry, signOf(value, bits) !== carry, n)
  },
  ror: (a, n, c, bits) => {
    const [value, carry] = repeatedly(a, n, c, (v) => [(v >> 1n) | ((v & 1n) << BigInt(bits - 1)), v & 1n])
    return rotated(value, carry, signOf(value, bits) !== signOf(value << 1n, bits), n)
  },
  rcl: (a, n, c, bits) => {
    const [value, carry] = repeatedly(a, n, c, (v, cf) => [BigInt.asUintN(bits, (v << 1n) | cf), signOf(v, bits)])
    return rotated(value, carry, signOf(value, bits) !== carry, n)
  },
  rcr: (a, n, c, bits) => {
    const [value, carry] = repeatedly(a, n, c, (v, cf) => [(v >> 1n) | (cf << BigInt(bits - 1)), v & 1n])
    return rotated(value, carry, signOf(value, bits) !== signOf(value << 1n, bits), n)
  },
}

const ROTATES = ['rol', 'ror', 'rcl', 'rcr']
/** An operand; edge cases come more often than chance has them. */
const operand = fc.oneof(
  fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
  fc.constantFrom(0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn),
  fc.constantFrom(0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn, 0x1_0000_0000n),
)

/** A CPU with the instruction at CODE. */
function prepared(source: string): Cpu {
  const cpu = testCpu()
  cpu.machine.space(0n).write(CODE, assemble(source, { origin: CODE }).bytes)
  return cpu
}

function check(cpu: Cpu, bits: number, rflags: number, before: bigint, expected: Expected): void {
  cpu.rip = CODE
  cpu.rflags = BigInt(2 | rflags)
  step(cpu)
  const full = bits === 32 ? 0n : before >> BigInt(bits)
  expect(cpu.gpr(0)).toBe(bits === 64 ? expected.value : (full << BigInt(bits)) | expected.value)
  expect(Number(cpu.rflags) & expected.defined).toBe(expected.flags & expected.defined)
}

describe.each([8, 16, 32, 64])('%i bits', (bits) => {
  const [left, right] = REGISTERS[bits]!

  test.each(Object.keys(BINARY))('%s', (name) => {
    const cpu = prepared(`${name} ${left}, ${right}`)
    fc.assert(
      fc.property(operand, operand, fc.boolean(), (a, b, carry) => {
        cpu.setGpr(0, a)
        cpu.setGpr(2, b)
        const cut = (value: bigint): bigint => BigInt.asUintN(bits, value)
        const expected = BINARY[name]!(cut(a), cut(b), carry ? 1n : 0n, bits)
        const unwritten = name === 'cmp' || name === 'test'
        const kept = unwritten && bits === 32 ? { ...expected, value: a } : expected
        check(cpu, unwritten && bits === 32 ? 64 : bits, carry ? CF : 0, a, kept)
      }),
    )
  })

  test.each(Object.keys(UNARY))('%s', (name) => {
    const cpu = prepared(`${name} ${left}`)
    fc.assert(
      fc.property(operand, fc.boolean(), (a, carry) => {
        cpu.setGpr(0, a)
        check(cpu, bits, carry ? CF : 0, a, UNARY[name]!(BigInt.asUintN(bits, a), 0n, carry ? 1n : 0n, bits))
      }),
    )
  })

  test.each(Object.keys(SHIFTS))('%s', (name) => {
    const cpu = prepared(`${name} ${left}, cl`)
    fc.assert(
      fc.property(operand, fc.integer({ min: 0, max: 255 }), fc.boolean(), (a, count, carry) => {
        const n = count & (bits === 64 ? 63 : 31)
        const rotates = ROTATES.includes(name)
        cpu.setGpr(0, a)
        cpu.setGpr(1, BigInt(count))
        const expected =
          n === 0
            ? { value: BigInt.asUintN(bits, a), flags: carry ? CF : 0, defined: ARITHMETIC_FLAGS }
            : SHIFTS[name]!(BigInt.asUintN(bits, a), n, carry ? 1n : 0n, bits)
        // CF of SHL and SHR is undefined from the operand size on
        const defined = !rotates && n >= bits ? expected.defined & ~CF : expected.defined
        check(cpu, bits, carry ? CF : 0, a, { ...expected, defined })
      }),
    )
  })
})
