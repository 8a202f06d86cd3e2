import {
  type Cpu,
  type Decoded,
  DF,
  loadWidth,
  type Operand,
  operandAddress,
  READ,
  RF,
  RFLAGS,
  RIP,
  readOperand,
  type Semantics,
  storeWidth,
  WRITE,
  writeOperand,
  ZF,
} from '@trapframe/core'
import { subtract } from './flags.js'
import { addToGpr, RAX_NUMBER, RCX_NUMBER, RDI_NUMBER, RSI_NUMBER, readGpr, writeGpr } from './gpr.js'

/** Moves rSI or rDI past an element, in the direction of DF. */
function advanceIndex(cpu: Cpu, insn: Decoded, register: number): void {
  const bytes = insn.operandSize
  addToGpr(cpu, register, insn.addressSize, (cpu.words[RFLAGS]! & DF) !== 0 ? -bytes : bytes)
}

export const advanceSource = (cpu: Cpu, insn: Decoded): void => advanceIndex(cpu, insn, RSI_NUMBER)
export const advanceDestination = (cpu: Cpu, insn: Decoded): void => advanceIndex(cpu, insn, RDI_NUMBER)

/**
 * One iteration of a string instruction, repeated or not. While the count says that iterations are left, RIP goes back
 * to the instruction, so that events are taken between two of them; with RF set on CPUs that do so (SDM 3B 17.3.1.1).
 * A count of 0 does nothing, but ECX is written, and clears the upper half of RCX (measured on Intel's CPUs).
 *
 * @param iterate does one element, faulting before it changes a register
 * @param compares REPE ends on ZF = 0, REPNE on ZF = 1
 */
export function repeated(iterate: Semantics, compares = false): Semantics {
  return (cpu, insn) => {
    if (!insn.rep && !insn.repne) return iterate(cpu, insn)
    const bytes = insn.addressSize
    const count = readGpr(cpu, RCX_NUMBER, bytes)
    if ((count | cpu.hi) === 0) return writeGpr(cpu, RCX_NUMBER, bytes, 0, 0)
    iterate(cpu, insn)
    addToGpr(cpu, RCX_NUMBER, bytes, -1)
    const left = readGpr(cpu, RCX_NUMBER, bytes)
    if ((left | cpu.hi) === 0) return
    if (compares && ((cpu.words[RFLAGS]! & ZF) !== 0) === insn.repne) return
    cpu.words[RIP] = cpu.startLo
    cpu.words[RIP + 1] = cpu.startHi
    if (cpu.model.behaviour.rfBetweenIterations) cpu.words[RFLAGS] = cpu.words[RFLAGS]! | RF
  }
}

const moveString: Semantics = (cpu, insn) => {
  const lo = readOperand(cpu, insn, insn.operands[1]!)
  writeOperand(cpu, insn, insn.operands[0]!, lo, cpu.hi)
  advanceSource(cpu, insn)
  advanceDestination(cpu, insn)
}

/** STOS and LODS: one operand is the accumulator. */
const storeString: Semantics = (cpu, insn) => {
  const bytes = insn.operandSize
  const lo = readGpr(cpu, RAX_NUMBER, bytes)
  const hi = cpu.hi
  const at = operandAddress(cpu, insn, memoryOf(insn), bytes, true)
  storeWidth(cpu, at, cpu.hi, bytes, lo, hi, WRITE | cpu.user)
  advanceDestination(cpu, insn)
}

const loadString: Semantics = (cpu, insn) => {
  const bytes = insn.operandSize
  const lo = loadElement(cpu, insn, memoryOf(insn))
  writeGpr(cpu, RAX_NUMBER, bytes, lo, cpu.hi)
  advanceSource(cpu, insn)
}

const scanString: Semantics = (cpu, insn) => {
  const bytes = insn.operandSize
  const bLo = loadElement(cpu, insn, memoryOf(insn))
  const bHi = cpu.hi
  const aLo = readGpr(cpu, RAX_NUMBER, bytes)
  subtract(cpu, bytes, aLo, cpu.hi, bLo, bHi, 0)
  advanceDestination(cpu, insn)
}

/** CMPS: [rSI] − [rDI]; the decoder names them in that order. */
const compareString: Semantics = (cpu, insn) => {
  const aLo = loadElement(cpu, insn, insn.operands[0]!)
  const aHi = cpu.hi
  const bLo = loadElement(cpu, insn, insn.operands[1]!)
  subtract(cpu, insn.operandSize, aLo, aHi, bLo, cpu.hi, 0)
  advanceSource(cpu, insn)
  advanceDestination(cpu, insn)
}

/** The memory operand of an instruction whose other operand is implied. */
export function memoryOf(insn: Decoded): Operand {
  return insn.operands.find((op) => op.base >= 0)!
}

function loadElement(cpu: Cpu, insn: Decoded, op: Operand): number {
  const at = operandAddress(cpu, insn, op, insn.operandSize, false)
  return loadWidth(cpu, at, cpu.hi, insn.operandSize, READ | cpu.user)
}

/** String instructions (SDM 1 7.3.9). */
export const strings: Readonly<Record<string, Semantics>> = {
  movs: repeated(moveString),
  stos: repeated(storeString),
  lods: repeated(loadString),
  scas: repeated(scanString, true),
  cmps: repeated(compareString, true),
}
