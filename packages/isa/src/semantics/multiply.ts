import { CF, type Cpu, type Decoded, OF, readOperand, type Semantics, writeOperand, ZF } from '@trapframe/core'
import { resultFlags, setFlags } from './flags.js'
import { RAX_NUMBER, RDX_NUMBER, readGpr, writeGpr } from './gpr.js'
import { halves, quad } from './quad.js'

/**
 * CF and OF say that the product does not fit the low half. Of the undefined flags SF and PF follow the low half, ZF
 * and AF are 0, as measured on Intel's CPUs.
 */
function setProductFlags(cpu: Cpu, bytes: number, lo: number, hi: number, overflow: boolean): void {
  setFlags(cpu, (resultFlags(bytes, lo, hi) & ~ZF) | (overflow ? CF | OF : 0))
}

/** Accumulator × operand into AX, DX:AX, EDX:EAX or RDX:RAX. */
function multiplyAccumulator(cpu: Cpu, insn: Decoded, signed: boolean): void {
  const op = insn.operands[0]!
  const bytes = op.size
  const bits = bytes * 8
  const sourceLo = readOperand(cpu, insn, op)
  const source = quad(sourceLo, cpu.hi)
  const accumulatorLo = readGpr(cpu, RAX_NUMBER, bytes)
  const accumulator = quad(accumulatorLo, cpu.hi)
  const product = signed ? BigInt.asIntN(bits, accumulator) * BigInt.asIntN(bits, source) : accumulator * source
  const low = BigInt.asUintN(bits, product)
  const overflow = signed ? BigInt.asIntN(bits, product) !== product : low !== product
  const lo = halves(cpu, low)
  setProductFlags(cpu, bytes, lo, cpu.hi, overflow)
  if (bytes === 1) {
    writeGpr(cpu, RAX_NUMBER, 2, Number(BigInt.asUintN(16, product)), 0)
    return
  }
  writeGpr(cpu, RAX_NUMBER, bytes, lo, cpu.hi)
  const upper = halves(cpu, BigInt.asUintN(bits, product >> BigInt(bits)))
  writeGpr(cpu, RDX_NUMBER, bytes, upper, cpu.hi)
}

/** IMUL with two or three operands: the product, cut to operand size. */
function multiplyRegister(cpu: Cpu, insn: Decoded): void {
  const target = insn.operands[0]!
  const left = insn.operands.length === 3 ? insn.operands[1]! : target
  const right = insn.operands[insn.operands.length - 1]!
  const bits = target.size * 8
  const leftLo = readOperand(cpu, insn, left)
  const a = BigInt.asIntN(bits, quad(leftLo, cpu.hi))
  const rightLo = readOperand(cpu, insn, right)
  const b = BigInt.asIntN(bits, quad(rightLo, cpu.hi))
  const product = a * b
  const lo = halves(cpu, BigInt.asUintN(bits, product))
  setProductFlags(cpu, target.size, lo, cpu.hi, BigInt.asIntN(bits, product) !== product)
  writeOperand(cpu, insn, target, lo, cpu.hi)
}

/** Multiplication (SDM 1 7.3.2.3). */
export const multiply: Readonly<Record<string, Semantics>> = {
  mul: (cpu, insn) => multiplyAccumulator(cpu, insn, false),
  imul: (cpu, insn) => {
    if (insn.operands.length === 1) multiplyAccumulator(cpu, insn, true)
    else multiplyRegister(cpu, insn)
  },
}
