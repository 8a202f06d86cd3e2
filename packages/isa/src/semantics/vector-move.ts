import { type Cpu, type Decoded, OPERAND_GPR, OPERAND_XMM, type Semantics, writeRegister } from '@trapframe/core'
import { readScalar, readVector, requireSse, storeScalar, writeVector, xmmSlot } from './vector-operand.js'

function move(aligned: boolean): Semantics {
  return (cpu, insn) => {
    requireSse(cpu, insn)
    writeVector(cpu, insn, insn.operands[0]!, readVector(cpu, insn, insn.operands[1]!, aligned), aligned)
  }
}

/** A bitwise operation on all 128 bits. */
function bitwise(combine: (target: number, source: number) => number): Semantics {
  return (cpu, insn) => {
    requireSse(cpu, insn)
    const target = insn.operands[0]!
    const right = readVector(cpu, insn, insn.operands[1]!, true)
    const left = readVector(cpu, insn, target, true)
    const result = left.map((word, i) => combine(word, right[i]!))
    writeVector(cpu, insn, target, result, true)
  }
}

/** MOVD, MOVQ, and MOVSS and MOVSD from memory: an XMM register gets zeros above what is moved. */
function scalarMove(cpu: Cpu, insn: Decoded, bytes: number, clearing: boolean): void {
  requireSse(cpu, insn)
  const target = insn.operands[0]!
  const lo = readScalar(cpu, insn, insn.operands[1]!, bytes)
  const hi = cpu.hi
  if (target.kind === OPERAND_XMM) {
    const slot = xmmSlot(target)
    cpu.words[slot] = lo
    if (bytes === 8 || clearing) cpu.words[slot + 1] = hi
    if (clearing) cpu.words.fill(0, slot + 2, slot + 4)
  } else if (target.kind === OPERAND_GPR) {
    writeRegister(cpu, target, lo, hi)
  } else {
    storeScalar(cpu, insn, target, bytes, lo, hi)
  }
}

const moveBits: Semantics = (cpu, insn) => {
  const narrow = insn.operands.some((op) => op.size === 4)
  scalarMove(cpu, insn, narrow ? 4 : 8, true)
}

/** MOVSS and MOVSD: between registers the rest of the destination stays. */
function moveScalar(bytes: number): Semantics {
  return (cpu, insn) => scalarMove(cpu, insn, bytes, insn.operands[1]!.kind !== OPERAND_XMM)
}

/** Moves of one half: MOVLPS and its kin. `to` and `from` are first words of the halves in an XMM register. */
function moveHalf(to: number, from: number): Semantics {
  return (cpu, insn) => {
    requireSse(cpu, insn)
    const [target, source] = [insn.operands[0]!, insn.operands[1]!]
    if (target.kind !== OPERAND_XMM) {
      const slot = xmmSlot(source) + from
      return storeScalar(cpu, insn, target, 8, cpu.words[slot]!, cpu.words[slot + 1]!)
    }
    let lo: number
    let hi: number
    if (source.kind === OPERAND_XMM) {
      lo = cpu.words[xmmSlot(source) + from]!
      hi = cpu.words[xmmSlot(source) + from + 1]!
    } else {
      lo = readScalar(cpu, insn, source, 8)
      hi = cpu.hi
    }
    cpu.words[xmmSlot(target) + to] = lo
    cpu.words[xmmSlot(target) + to + 1] = hi
  }
}

const and = bitwise((a, b) => a & b)
const andNot = bitwise((a, b) => ~a & b)
const or = bitwise((a, b) => a | b)
const exclusiveOr = bitwise((a, b) => a ^ b)

/** Moves and bitwise operations of the legacy SSE and SSE2 encodings (SDM 1 10.4.1, 11.4.1). None looks at MXCSR. */
export const vectorMoves: Readonly<Record<string, Semantics>> = {
  movaps: move(true),
  movapd: move(true),
  movdqa: move(true),
  movups: move(false),
  movupd: move(false),
  movdqu: move(false),
  movntps: move(true),
  movntpd: move(true),
  movntdq: move(true),
  movd: moveBits,
  movq: moveBits,
  movss: moveScalar(4),
  movsd: moveScalar(8),
  movlps: moveHalf(0, 0),
  movlpd: moveHalf(0, 0),
  movhps: moveHalf(2, 2),
  movhpd: moveHalf(2, 2),
  movhlps: moveHalf(0, 2),
  movlhps: moveHalf(2, 0),
  andps: and,
  andpd: and,
  pand: and,
  andnps: andNot,
  andnpd: andNot,
  pandn: andNot,
  orps: or,
  orpd: or,
  por: or,
  xorps: exclusiveOr,
  xorpd: exclusiveOr,
  pxor: exclusiveOr,
}
