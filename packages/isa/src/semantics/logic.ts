import { readOperand, type Semantics } from '@trapframe/core'
import { readDestination, writeDestination } from './destination.js'
import { setLogicFlags } from './flags.js'

const and: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const bLo = readOperand(cpu, insn, insn.operands[1]!)
  const bHi = cpu.hi
  const lo = readDestination(cpu, insn, target) & bLo
  const hi = cpu.hi & bHi
  setLogicFlags(cpu, target.size, lo, hi)
  writeDestination(cpu, target, lo, hi)
}

const or: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const bLo = readOperand(cpu, insn, insn.operands[1]!)
  const bHi = cpu.hi
  const lo = readDestination(cpu, insn, target) | bLo
  const hi = cpu.hi | bHi
  setLogicFlags(cpu, target.size, lo, hi)
  writeDestination(cpu, target, lo, hi)
}

const xor: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const bLo = readOperand(cpu, insn, insn.operands[1]!)
  const bHi = cpu.hi
  const lo = readDestination(cpu, insn, target) ^ bLo
  const hi = cpu.hi ^ bHi
  setLogicFlags(cpu, target.size, lo, hi)
  writeDestination(cpu, target, lo, hi)
}

const test: Semantics = (cpu, insn) => {
  const left = insn.operands[0]!
  const bLo = readOperand(cpu, insn, insn.operands[1]!)
  const bHi = cpu.hi
  const lo = readOperand(cpu, insn, left) & bLo
  setLogicFlags(cpu, left.size, lo, cpu.hi & bHi)
}

/** NOT changes no flag. */
const not: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const lo = readDestination(cpu, insn, target)
  writeDestination(cpu, target, ~lo, ~cpu.hi)
}

/** Logical instructions (SDM 1 7.3.4): CF and OF are 0 afterwards, SF, ZF and PF follow the result. */
export const logic: Readonly<Record<string, Semantics>> = { and, or, xor, test, not }
