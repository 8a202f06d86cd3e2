import { AF, ARITHMETIC_FLAGS, CF, type Cpu, OF, PF, RFLAGS, SF, ZF } from '@trapframe/core'

/**
 * Arithmetic on 1, 2, 4 or 8 bytes with the flags that it leaves (SDM 1 3.4.3.1, appendix A). Operands are
 * zero-extended, 64-bit values in two signed halves; results come back the same way, the high half in `cpu.hi`.
 */

/** PF of a result's low byte: set for an even number of ones. */
const PARITY = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0
  for (let bits = byte; bits !== 0; bits >>>= 1) ones += bits & 1
  return ones % 2 === 0 ? PF : 0
})

/** All six but CF, which INC and DEC leave alone. */
const ALL_BUT_CARRY = ARITHMETIC_FLAGS & ~CF

const SF_FROM_BIT_31 = 24
const OF_FROM_BIT_31 = 20

/** The sign bit of a value of `bytes` bytes, in bit 31; the other bits are anything. */
function signOf(bytes: number, lo: number, hi: number): number {
  return bytes === 8 ? hi : bytes === 4 ? lo : bytes === 2 ? lo << 16 : lo << 24
}

/** SF, ZF and PF of a result that is zero-extended from `bytes` bytes. */
export function resultFlags(bytes: number, lo: number, hi: number): number {
  return PARITY[lo & 0xff]! | ((lo | hi) === 0 ? ZF : 0) | ((signOf(bytes, lo, hi) >>> SF_FROM_BIT_31) & SF)
}

/** Replaces CF PF AF ZF SF OF. */
export function setFlags(cpu: Cpu, flags: number): void {
  cpu.words[RFLAGS] = (cpu.words[RFLAGS]! & ~ARITHMETIC_FLAGS) | flags
}

/** Replaces the flags of `mask`. */
export function setSomeFlags(cpu: Cpu, mask: number, flags: number): void {
  cpu.words[RFLAGS] = (cpu.words[RFLAGS]! & ~mask) | (flags & mask)
}

/** Flags of AND, OR, XOR and TEST: CF, OF and AF are 0 (AF is undefined by the manual; CPUs clear it). */
export function setLogicFlags(cpu: Cpu, bytes: number, lo: number, hi: number): void {
  setFlags(cpu, resultFlags(bytes, lo, hi))
}

/** a + b + carry, with all six flags. */
export function add(
  cpu: Cpu,
  bytes: number,
  aLo: number,
  aHi: number,
  bLo: number,
  bHi: number,
  carry: number,
): number {
  if (bytes < 4) return addNarrow(cpu, bytes, aLo, bLo, carry)
  const lo = (aLo + bLo + carry) | 0
  // carry out of bit 31 of a full adder
  const carryLo = ((aLo & bLo) | ((aLo | bLo) & ~lo)) >>> 31
  const half = (aLo ^ bLo ^ lo) & AF
  if (bytes === 4) {
    const overflow = (((aLo ^ lo) & (bLo ^ lo)) >>> OF_FROM_BIT_31) & OF
    setFlags(cpu, resultFlags(4, lo, 0) | carryLo | overflow | half)
    cpu.hi = 0
    return lo
  }
  const hi = (aHi + bHi + carryLo) | 0
  const carryHi = ((aHi & bHi) | ((aHi | bHi) & ~hi)) >>> 31
  const overflow = (((aHi ^ hi) & (bHi ^ hi)) >>> OF_FROM_BIT_31) & OF
  setFlags(cpu, resultFlags(8, lo, hi) | carryHi | overflow | half)
  cpu.hi = hi
  return lo
}

function addNarrow(cpu: Cpu, bytes: number, a: number, b: number, carry: number): number {
  const bits = bytes << 3
  const sum = a + b + carry
  const result = sum & (bytes === 2 ? 0xffff : 0xff)
  const overflow = ((a ^ result) & (b ^ result)) >>> (bits - 1) !== 0 ? OF : 0
  setFlags(cpu, resultFlags(bytes, result, 0) | (sum >>> bits) | overflow | ((a ^ b ^ result) & AF))
  cpu.hi = 0
  return result
}

/** a − b − borrow, with all six flags. */
export function subtract(
  cpu: Cpu,
  bytes: number,
  aLo: number,
  aHi: number,
  bLo: number,
  bHi: number,
  borrow: number,
): number {
  if (bytes < 4) return subtractNarrow(cpu, bytes, aLo, bLo, borrow)
  const lo = (aLo - bLo - borrow) | 0
  const borrowLo = ((~aLo & bLo) | (~(aLo ^ bLo) & lo)) >>> 31
  const half = (aLo ^ bLo ^ lo) & AF
  if (bytes === 4) {
    const overflow = (((aLo ^ bLo) & (aLo ^ lo)) >>> OF_FROM_BIT_31) & OF
    setFlags(cpu, resultFlags(4, lo, 0) | borrowLo | overflow | half)
    cpu.hi = 0
    return lo
  }
  const hi = (aHi - bHi - borrowLo) | 0
  const borrowHi = ((~aHi & bHi) | (~(aHi ^ bHi) & hi)) >>> 31
  const overflow = (((aHi ^ bHi) & (aHi ^ hi)) >>> OF_FROM_BIT_31) & OF
  setFlags(cpu, resultFlags(8, lo, hi) | borrowHi | overflow | half)
  cpu.hi = hi
  return lo
}

function subtractNarrow(cpu: Cpu, bytes: number, a: number, b: number, borrow: number): number {
  const bits = bytes << 3
  const difference = a - b - borrow
  const result = difference & (bytes === 2 ? 0xffff : 0xff)
  const overflow = ((a ^ b) & (a ^ result)) >>> (bits - 1) !== 0 ? OF : 0
  setFlags(cpu, resultFlags(bytes, result, 0) | (difference < 0 ? CF : 0) | overflow | ((a ^ b ^ result) & AF))
  cpu.hi = 0
  return result
}

/** a + 1, with all flags but CF. */
export function increment(cpu: Cpu, bytes: number, aLo: number, aHi: number): number {
  const lo = bytes >= 4 ? (aLo + 1) | 0 : (aLo + 1) & (bytes === 2 ? 0xffff : 0xff)
  const hi = bytes === 8 && lo === 0 ? (aHi + 1) | 0 : aHi
  const overflow = (signOf(bytes, ~aLo & lo, ~aHi & hi) >>> OF_FROM_BIT_31) & OF
  setSomeFlags(cpu, ALL_BUT_CARRY, resultFlags(bytes, lo, hi) | overflow | ((aLo ^ lo) & AF))
  cpu.hi = hi
  return lo
}

/** a − 1, with all flags but CF. */
export function decrement(cpu: Cpu, bytes: number, aLo: number, aHi: number): number {
  const lo = bytes >= 4 ? (aLo - 1) | 0 : (aLo - 1) & (bytes === 2 ? 0xffff : 0xff)
  const hi = bytes === 8 && aLo === 0 ? (aHi - 1) | 0 : aHi
  const overflow = (signOf(bytes, aLo & ~lo, aHi & ~hi) >>> OF_FROM_BIT_31) & OF
  setSomeFlags(cpu, ALL_BUT_CARRY, resultFlags(bytes, lo, hi) | overflow | ((aLo ^ lo) & AF))
  cpu.hi = hi
  return lo
}
