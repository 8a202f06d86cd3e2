import { CF, type Cpu, type Decoded, OF, RCX, readOperand, type Semantics } from '@trapframe/core'
import { readDestination, writeDestination } from './destination.js'
import { resultFlags, setFlags } from './flags.js'
import { halves, quad } from './quad.js'

/** The count, in CL or an immediate: five bits, six for 64-bit operands. */
export function shiftCount(cpu: Cpu, insn: Decoded, index: number, bytes: number): number {
  const op = insn.operands[index]
  const count = op === undefined ? cpu.words[RCX]! : readOperand(cpu, insn, op)
  return count & (bytes === 8 ? 63 : 31)
}

/** Bit `n`, 0–63, of a value in halves. */
export function bit(lo: number, hi: number, n: number): number {
  return ((n < 32 ? lo : hi) >>> (n & 31)) & 1
}

/** A value cut to `bytes` bytes; the high half is 0 below 8. */
function cut(cpu: Cpu, bytes: number, lo: number): number {
  if (bytes !== 8) cpu.hi = 0
  return bytes === 1 ? lo & 0xff : bytes === 2 ? lo & 0xffff : lo
}

/** OF, as a flag, when the two highest bits differ: a shift to the left by one changes the sign. */
function topBitsDiffer(bytes: number, lo: number, hi: number): number {
  const bits = bytes * 8
  return bit(lo, hi, bits - 1) !== bit(lo, hi, bits - 2) ? OF : 0
}

/**
 * SHL: CF is the last bit shifted out. Shifts by 0 change nothing. Of the undefined flags AF is 0 and OF for counts
 * above 1 is what a count of 1 would give, here and in the other shifts, as measured on Intel's CPUs.
 */
const shiftLeft: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const bytes = target.size
  const n = shiftCount(cpu, insn, 1, bytes)
  let lo = readDestination(cpu, insn, target)
  let hi = cpu.hi
  if (n === 0) return writeDestination(cpu, target, lo, hi)
  const bits = bytes * 8
  const carry = n <= bits ? bit(lo, hi, bits - n) : 0
  const overflow = topBitsDiffer(bytes, lo, hi)
  if (n < 32) {
    cpu.hi = (hi << n) | (lo >>> (32 - n))
    lo = cut(cpu, bytes, lo << n)
  } else {
    cpu.hi = lo << (n - 32)
    lo = 0
  }
  hi = cpu.hi
  setFlags(cpu, resultFlags(bytes, lo, hi) | carry | overflow)
  writeDestination(cpu, target, lo, hi)
}

/** SHR: CF is the last bit shifted out, OF the old sign. */
const shiftRight: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const bytes = target.size
  const n = shiftCount(cpu, insn, 1, bytes)
  let lo = readDestination(cpu, insn, target)
  let hi = cpu.hi
  if (n === 0) return writeDestination(cpu, target, lo, hi)
  const carry = bit(lo, hi, n - 1)
  const overflow = bit(lo, hi, bytes * 8 - 1) * OF
  if (n < 32) {
    lo = (lo >>> n) | (hi << (32 - n))
    hi = hi >>> n
  } else {
    lo = hi >>> (n - 32)
    hi = 0
  }
  setFlags(cpu, resultFlags(bytes, lo, hi) | carry | overflow)
  writeDestination(cpu, target, lo, hi)
}

/** SAR: the sign fills up; OF is 0. */
const shiftRightArithmetic: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const bytes = target.size
  const n = shiftCount(cpu, insn, 1, bytes)
  let lo = readDestination(cpu, insn, target)
  let hi = cpu.hi
  if (n === 0) return writeDestination(cpu, target, lo, hi)
  if (bytes !== 8) {
    const unused = 32 - bytes * 8
    lo = (lo << unused) >> unused
    hi = lo >> 31
  }
  const carry = bit(lo, hi, n - 1)
  if (n < 32) {
    lo = (lo >>> n) | (hi << (32 - n))
    hi = hi >> n
  } else {
    lo = hi >> (n - 32)
    hi = hi >> 31
  }
  cpu.hi = hi
  lo = cut(cpu, bytes, lo)
  setFlags(cpu, resultFlags(bytes, lo, cpu.hi) | carry)
  writeDestination(cpu, target, lo, cpu.hi)
}

/**
 * SHLD and SHRD shift the destination and fill up from the source. A 16-bit operand and a count above 16 are undefined:
 * as on Intel's CPUs the destination follows the source.
 */
function doubleShift(cpu: Cpu, insn: Decoded, left: boolean): void {
  const target = insn.operands[0]!
  const bytes = target.size
  const sourceLo = readOperand(cpu, insn, insn.operands[1]!)
  const source = quad(sourceLo, cpu.hi)
  const n = shiftCount(cpu, insn, 2, bytes)
  const oldLo = readDestination(cpu, insn, target)
  const oldHi = cpu.hi
  if (n === 0) return writeDestination(cpu, target, oldLo, oldHi)
  const bits = BigInt(bytes * 8)
  const count = BigInt(n)
  const old = quad(oldLo, oldHi)
  const wide = (old << (2n * bits)) | (source << bits) | old
  const result = BigInt.asUintN(bytes * 8, left ? (wide << count) >> (2n * bits) : wide >> count)
  const carry = Number((left ? wide >> (3n * bits - count) : wide >> (count - 1n)) & 1n) * CF
  const lo = halves(cpu, result)
  const hi = cpu.hi
  const shiftedIn = left ? bit(oldLo, oldHi, bytes * 8 - 2) : sourceLo & 1
  const overflow = bit(oldLo, oldHi, bytes * 8 - 1) !== shiftedIn ? OF : 0
  setFlags(cpu, resultFlags(bytes, lo, hi) | carry | overflow)
  writeDestination(cpu, target, lo, hi)
}

/** Shifts (SDM 1 7.3.6). */
export const shift: Readonly<Record<string, Semantics>> = {
  shl: shiftLeft,
  sal: shiftLeft,
  shr: shiftRight,
  sar: shiftRightArithmetic,
  shld: (cpu, insn) => doubleShift(cpu, insn, true),
  shrd: (cpu, insn) => doubleShift(cpu, insn, false),
}
