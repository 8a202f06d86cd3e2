import { type Cpu, type Decoded, type Semantics, writeRegister } from '@trapframe/core'
import { converted } from '../float/arithmetic.js'
import { DOUBLE, type Float, type FloatFormat, finite, SINGLE, toIeee } from '../float/number.js'
import { INVALID, PRECISION, ROUND_TO_ZERO, roundToInteger } from '../float/round.js'
import { operand } from './vector-arithmetic.js'
import { noteSse, sseRounding } from './vector-control.js'
import { readScalarBits, requireSse, writeScalarBits } from './vector-operand.js'

const bytesOf = (format: FloatFormat): number => (format === SINGLE ? 4 : 8)

/** Writes a rounded number to the low end of the destination, unless it raises an exception that is not masked. */
function finish(cpu: Cpu, insn: Decoded, value: Float, to: FloatFormat, denormals: boolean): void {
  const result = converted(value, sseRounding(cpu, to), denormals)
  noteSse(cpu, result.flags)
  writeScalarBits(cpu, insn.operands[0]!, bytesOf(to), toIeee(result.value, to))
}

/** CVTSI2SS and CVTSI2SD. */
function fromInteger(to: FloatFormat): Semantics {
  return (cpu, insn) => {
    requireSse(cpu, insn)
    const source = insn.operands[1]!
    const bits = BigInt.asIntN(source.size * 8, readScalarBits(cpu, insn, source, source.size))
    finish(cpu, insn, finite(bits < 0n, bits < 0n ? -bits : bits, 0), to, false)
  }
}

/** CVTSS2SI and its kin: what does not fit is #IA, and the smallest integer where that is masked. No #D. */
function toInteger(from: FloatFormat, truncating: boolean): Semantics {
  return (cpu, insn) => {
    requireSse(cpu, insn)
    const target = insn.operands[0]!
    const width = target.size * 8
    const value = operand(cpu, insn, insn.operands[1]!, from)
    let integer = -(1n << BigInt(width - 1))
    let flags = INVALID
    if (value.kind === 'finite' || value.kind === 'zero') {
      const rounded = roundToInteger(value, truncating ? ROUND_TO_ZERO : sseRounding(cpu, from).mode)
      if (BigInt.asIntN(width, rounded.integer) === rounded.integer) {
        integer = rounded.integer
        flags = rounded.inexact ? PRECISION : 0
      }
    }
    noteSse(cpu, flags)
    writeRegister(cpu, target, Number(BigInt.asIntN(32, integer)), Number(BigInt.asIntN(32, integer >> 32n)))
  }
}

/** CVTSS2SD and CVTSD2SS. */
function between(from: FloatFormat, to: FloatFormat): Semantics {
  return (cpu, insn) => {
    requireSse(cpu, insn)
    finish(cpu, insn, operand(cpu, insn, insn.operands[1]!, from), to, true)
  }
}

/** Scalar conversions of SSE and SSE2 (SDM 1 10.4.2, 11.4.1.6). */
export const vectorConversions: Readonly<Record<string, Semantics>> = {
  cvtsi2ss: fromInteger(SINGLE),
  cvtsi2sd: fromInteger(DOUBLE),
  cvtss2si: toInteger(SINGLE, false),
  cvtsd2si: toInteger(DOUBLE, false),
  cvttss2si: toInteger(SINGLE, true),
  cvttsd2si: toInteger(DOUBLE, true),
  cvtss2sd: between(SINGLE, DOUBLE),
  cvtsd2ss: between(DOUBLE, SINGLE),
}
