import { type Cpu, type Decoded, de, readOperand, type Semantics } from '@trapframe/core'
import { RAX_NUMBER, RDX_NUMBER, readGpr, writeGpr } from './gpr.js'
import { halves, quad } from './quad.js'

/**
 * DIV and IDIV: #DE for a divisor of 0 or a quotient that does not fit (SDM 2A DIV). All six flags are undefined; here
 * they stay.
 */
function divide(cpu: Cpu, insn: Decoded, signed: boolean): void {
  const op = insn.operands[0]!
  const bytes = op.size
  const bits = bytes * 8
  const divisorLo = readOperand(cpu, insn, op)
  const divisor = quad(divisorLo, cpu.hi)
  if (divisor === 0n) throw de()
  const dividend = readDividend(cpu, bytes)
  const a = signed ? BigInt.asIntN(2 * bits, dividend) : dividend
  const b = signed ? BigInt.asIntN(bits, divisor) : divisor
  const quotient = a / b
  const fits = signed ? BigInt.asIntN(bits, quotient) : BigInt.asUintN(bits, quotient)
  if (fits !== quotient) throw de()
  const remainder = a % b
  if (bytes === 1) {
    const ah = Number(BigInt.asUintN(8, remainder))
    writeGpr(cpu, RAX_NUMBER, 2, (ah << 8) | Number(BigInt.asUintN(8, quotient)), 0)
    return
  }
  const quotientLo = halves(cpu, quotient)
  writeGpr(cpu, RAX_NUMBER, bytes, quotientLo, cpu.hi)
  const remainderLo = halves(cpu, remainder)
  writeGpr(cpu, RDX_NUMBER, bytes, remainderLo, cpu.hi)
}

/** AX, DX:AX, EDX:EAX or RDX:RAX, unsigned. */
function readDividend(cpu: Cpu, bytes: number): bigint {
  if (bytes === 1) return BigInt(readGpr(cpu, RAX_NUMBER, 2))
  const low = readGpr(cpu, RAX_NUMBER, bytes)
  const lower = quad(low, cpu.hi)
  const high = readGpr(cpu, RDX_NUMBER, bytes)
  return (quad(high, cpu.hi) << BigInt(bytes * 8)) | lower
}

/** Division (SDM 1 7.3.2.3). */
export const division: Readonly<Record<string, Semantics>> = {
  div: (cpu, insn) => divide(cpu, insn, false),
  idiv: (cpu, insn) => divide(cpu, insn, true),
}
