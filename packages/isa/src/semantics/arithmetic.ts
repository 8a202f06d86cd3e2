import { CF, type Cpu, type Decoded, RFLAGS, readOperand, type Semantics, writeOperand } from '@trapframe/core'
import { readDestination, writeDestination } from './destination.js'
import { add, decrement, increment, subtract } from './flags.js'

function addition(cpu: Cpu, insn: Decoded, carry: number): void {
  const target = insn.operands[0]!
  const bLo = readOperand(cpu, insn, insn.operands[1]!)
  const bHi = cpu.hi
  const aLo = readDestination(cpu, insn, target)
  const lo = add(cpu, target.size, aLo, cpu.hi, bLo, bHi, carry)
  writeDestination(cpu, target, lo, cpu.hi)
}

function subtraction(cpu: Cpu, insn: Decoded, borrow: number): void {
  const target = insn.operands[0]!
  const bLo = readOperand(cpu, insn, insn.operands[1]!)
  const bHi = cpu.hi
  const aLo = readDestination(cpu, insn, target)
  const lo = subtract(cpu, target.size, aLo, cpu.hi, bLo, bHi, borrow)
  writeDestination(cpu, target, lo, cpu.hi)
}

const incrementBy1: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const aLo = readDestination(cpu, insn, target)
  const lo = increment(cpu, target.size, aLo, cpu.hi)
  writeDestination(cpu, target, lo, cpu.hi)
}

const decrementBy1: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const aLo = readDestination(cpu, insn, target)
  const lo = decrement(cpu, target.size, aLo, cpu.hi)
  writeDestination(cpu, target, lo, cpu.hi)
}

const compare: Semantics = (cpu, insn) => {
  const left = insn.operands[0]!
  const bLo = readOperand(cpu, insn, insn.operands[1]!)
  const bHi = cpu.hi
  const aLo = readOperand(cpu, insn, left)
  subtract(cpu, left.size, aLo, cpu.hi, bLo, bHi, 0)
}

/** CF is set unless the operand is 0; the rest as for 0 − operand. */
const negate: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const bLo = readDestination(cpu, insn, target)
  const lo = subtract(cpu, target.size, 0, 0, bLo, cpu.hi, 0)
  writeDestination(cpu, target, lo, cpu.hi)
}

/** XADD: the source gets the old destination, then the destination the sum, which wins when both are one register. */
const exchangeAndAdd: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const source = insn.operands[1]!
  const bLo = readOperand(cpu, insn, source)
  const bHi = cpu.hi
  const aLo = readDestination(cpu, insn, target)
  const aHi = cpu.hi
  const lo = add(cpu, target.size, aLo, aHi, bLo, bHi, 0)
  const hi = cpu.hi
  writeOperand(cpu, insn, source, aLo, aHi)
  writeDestination(cpu, target, lo, hi)
}

/** Addition, subtraction and comparison (SDM 1 7.3.2). All six flags follow the result; INC and DEC leave CF alone. */
export const arithmetic: Readonly<Record<string, Semantics>> = {
  add: (cpu, insn) => addition(cpu, insn, 0),
  adc: (cpu, insn) => addition(cpu, insn, cpu.words[RFLAGS]! & CF),
  sub: (cpu, insn) => subtraction(cpu, insn, 0),
  sbb: (cpu, insn) => subtraction(cpu, insn, cpu.words[RFLAGS]! & CF),
  cmp: compare,
  neg: negate,
  inc: incrementBy1,
  dec: decrementBy1,
  xadd: exchangeAndAdd,
}
