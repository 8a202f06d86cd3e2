import { CF, type Cpu, type Decoded, OF, RFLAGS, type Semantics } from '@trapframe/core'
import { readDestination, writeDestination } from './destination.js'
import { setSomeFlags } from './flags.js'
import { halves, quad } from './quad.js'
import { bit, shiftCount } from './shift.js'

/**
 * Rotates by a count (CF is part of the ring when `throughCarry`) and sets CF and OF; the other flags stay. OF says
 * whether a count of 1 would change the sign, for other counts too, where it is undefined.
 */
function rotate(cpu: Cpu, insn: Decoded, left: boolean, throughCarry: boolean): void {
  const target = insn.operands[0]!
  const bits = target.size * 8
  const count = shiftCount(cpu, insn, 1, target.size)
  const ring = throughCarry ? bits + 1 : bits
  const oldLo = readDestination(cpu, insn, target)
  const oldHi = cpu.hi
  if (count === 0) return writeDestination(cpu, target, oldLo, oldHi)
  const value = quad(oldLo, oldHi) | (throughCarry ? BigInt(cpu.words[RFLAGS]! & CF) << BigInt(bits) : 0n)
  const n = BigInt(left ? count % ring : (ring - (count % ring)) % ring)
  const turned = BigInt.asUintN(ring, (value << n) | (value >> (BigInt(ring) - n)))
  const lo = halves(cpu, BigInt.asUintN(bits, turned))
  const hi = cpu.hi
  writeDestination(cpu, target, lo, hi)
  const carry = throughCarry ? Number(turned >> BigInt(bits)) : left ? bit(lo, hi, 0) : bit(lo, hi, bits - 1)
  const sign = bit(oldLo, oldHi, bits - 1)
  const nextSign = left ? bit(oldLo, oldHi, bits - 2) : throughCarry ? cpu.words[RFLAGS]! & CF : oldLo & 1
  setSomeFlags(cpu, CF | OF, carry | (sign !== nextSign ? OF : 0))
}

/** Rotates (SDM 1 7.3.6.4). */
export const rotates: Readonly<Record<string, Semantics>> = {
  rol: (cpu, insn) => rotate(cpu, insn, true, false),
  ror: (cpu, insn) => rotate(cpu, insn, false, false),
  rcl: (cpu, insn) => rotate(cpu, insn, true, true),
  rcr: (cpu, insn) => rotate(cpu, insn, false, true),
}
