import {
  type Cpu,
  type Decoded,
  effectiveAddress,
  OPERAND_CONTROL,
  OPERAND_DEBUG,
  OPERAND_GPR,
  OPERAND_IMMEDIATE,
  OPERAND_SEGMENT,
  type Operand,
  RAX,
  RFLAGS,
  readOperand,
  type Semantics,
  writeOperand,
  writeRegister,
} from '@trapframe/core'
import { CONDITIONS, conditionBits } from './condition.js'
import { moveFromControl, moveToControl } from './control-register.js'
import { moveFromDebug, moveToDebug } from './debug-register.js'
import { readDestination, writeDestination } from './destination.js'
import { moveFromSegment, moveToSegment } from './segment-register.js'

const move: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const source = insn.operands[1]!
  if (target.kind > OPERAND_IMMEDIATE || source.kind > OPERAND_IMMEDIATE) return moveSpecial(cpu, insn, target, source)
  const lo = readOperand(cpu, insn, source)
  writeOperand(cpu, insn, target, lo, cpu.hi)
}

/** MOV to or from a segment, control or debug register. */
function moveSpecial(cpu: Cpu, insn: Decoded, target: Operand, source: Operand): void {
  if (target.kind === OPERAND_SEGMENT) return moveToSegment(cpu, insn)
  if (source.kind === OPERAND_SEGMENT) return moveFromSegment(cpu, insn)
  if (target.kind === OPERAND_CONTROL) return moveToControl(cpu, insn)
  if (source.kind === OPERAND_CONTROL) return moveFromControl(cpu, insn)
  if (target.kind === OPERAND_DEBUG) return moveToDebug(cpu, insn)
  if (source.kind === OPERAND_DEBUG) return moveFromDebug(cpu, insn)
  throw new TypeError(`no MOV has these operands: ${insn.text}`)
}

const moveZeroExtended: Semantics = (cpu, insn) => {
  const lo = readOperand(cpu, insn, insn.operands[1]!)
  writeOperand(cpu, insn, insn.operands[0]!, lo, cpu.hi)
}

const moveSignExtended: Semantics = (cpu, insn) => {
  const source = insn.operands[1]!
  const unused = 32 - source.size * 8
  const lo = (readOperand(cpu, insn, source) << unused) >> unused
  writeOperand(cpu, insn, insn.operands[0]!, lo, lo >> 31)
}

const loadEffectiveAddress: Semantics = (cpu, insn) => {
  const lo = effectiveAddress(cpu, insn, insn.operands[1]!)
  writeRegister(cpu, insn.operands[0]!, lo, cpu.hi)
}

const exchange: Semantics = (cpu, insn) => {
  // the memory operand may be either one; it is the one that can fault
  const first = insn.operands[0]!
  const second = insn.operands[1]!
  const memory = first.kind === OPERAND_GPR ? second : first
  const register = memory === first ? second : first
  const registerLo = readOperand(cpu, insn, register)
  const registerHi = cpu.hi
  const lo = readDestination(cpu, insn, memory)
  writeRegister(cpu, register, lo, cpu.hi)
  writeDestination(cpu, memory, registerLo, registerHi)
}

/** BSWAP of 16 bits is undefined; CPUs write 0. */
const byteSwap: Semantics = (cpu, insn) => {
  const op = insn.operands[0]!
  const lo = readOperand(cpu, insn, op)
  if (op.size === 8) writeRegister(cpu, op, swapBytes(cpu.hi), swapBytes(lo))
  else writeRegister(cpu, op, op.size === 4 ? swapBytes(lo) : 0, 0)
}

function swapBytes(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)
}

/** CMOVcc reads its source, and clears the upper half of a 32-bit destination, whether the condition holds or not. */
function conditionalMove(mask: number, negated: boolean): Semantics {
  return (cpu, insn) => {
    const target = insn.operands[0]!
    const sourceLo = readOperand(cpu, insn, insn.operands[1]!)
    const sourceHi = cpu.hi
    if (((conditionBits(cpu.words[RFLAGS]!) & mask) !== 0) !== negated) {
      writeRegister(cpu, target, sourceLo, sourceHi)
    } else {
      const lo = readOperand(cpu, insn, target)
      writeRegister(cpu, target, lo, cpu.hi)
    }
  }
}

function setOnCondition(mask: number, negated: boolean): Semantics {
  return (cpu, insn) => {
    const holds = ((conditionBits(cpu.words[RFLAGS]!) & mask) !== 0) !== negated
    writeOperand(cpu, insn, insn.operands[0]!, holds ? 1 : 0, 0)
  }
}

/** XLATB: AL = [rBX + AL]; the decoder's operand has the base and leaves the index to us. */
const translate: Semantics = (cpu, insn) => {
  const op = insn.operands[0]!
  const displaced = { ...op, lo: cpu.words[RAX]! & 0xff, hi: 0 }
  cpu.words[RAX] = (cpu.words[RAX]! & ~0xff) | readOperand(cpu, insn, displaced)
}

const conditional = Object.fromEntries(
  Object.entries(CONDITIONS).flatMap(([suffix, { mask, negated }]) => [
    [`cmov${suffix}`, conditionalMove(mask, negated)],
    [`set${suffix}`, setOnCondition(mask, negated)],
  ]),
)

/** Data transfer between registers, memory and immediates (SDM 1 7.3.1). No flag changes. */
export const moves: Readonly<Record<string, Semantics>> = {
  mov: move,
  movnti: move,
  movzx: moveZeroExtended,
  movsx: moveSignExtended,
  movsxd: moveSignExtended,
  lea: loadEffectiveAddress,
  xchg: exchange,
  bswap: byteSwap,
  xlatb: translate,
  ...conditional,
}
