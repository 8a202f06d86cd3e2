import {
  type Cpu,
  type Decoded,
  gp,
  load64,
  operandAddress,
  probe,
  RAX,
  RBX,
  RCX,
  RDX,
  readOperand,
  type Semantics,
  store64,
  WRITE,
  ZF,
} from '@trapframe/core'
import { readDestination, writeDestination } from './destination.js'
import { setSomeFlags, subtract } from './flags.js'
import { RAX_NUMBER, readGpr, writeGpr } from './gpr.js'

/**
 * CMPXCHG: memory is written whether equal or not; a register destination stays untouched when not equal, its upper
 * half included, as does the accumulator when equal.
 */
const compareExchange: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const bytes = target.size
  const newLo = readOperand(cpu, insn, insn.operands[1]!)
  const newHi = cpu.hi
  const oldLo = readDestination(cpu, insn, target)
  const oldHi = cpu.hi
  const accumulatorLo = readGpr(cpu, RAX_NUMBER, bytes)
  const accumulatorHi = cpu.hi
  subtract(cpu, bytes, accumulatorLo, accumulatorHi, oldLo, oldHi, 0)
  if (accumulatorLo === oldLo && accumulatorHi === oldHi) {
    writeDestination(cpu, target, newLo, newHi)
  } else {
    if (target.register < 0) writeDestination(cpu, target, oldLo, oldHi)
    writeGpr(cpu, RAX_NUMBER, bytes, oldLo, oldHi)
  }
}

/** CMPXCHG8B: EDX:EAX against eight bytes, ECX:EBX into them. Only ZF changes. */
const compareExchange8: Semantics = (cpu, insn) => {
  const { words } = cpu
  const at = operandAddress(cpu, insn, insn.operands[0]!, 8, true)
  const atHi = cpu.hi
  const lo = load64(cpu, at, atHi, WRITE | cpu.user)
  const hi = cpu.hi
  if (lo === words[RAX] && hi === words[RDX]) {
    store64(cpu, at, atHi, words[RBX]!, words[RCX]!, WRITE | cpu.user)
    setSomeFlags(cpu, ZF, ZF)
    return
  }
  store64(cpu, at, atHi, lo, hi, WRITE | cpu.user)
  setSomeFlags(cpu, ZF, 0)
  words[RAX] = lo
  words[RAX + 1] = 0
  words[RDX] = hi
  words[RDX + 1] = 0
}

/** CMPXCHG16B: RDX:RAX against sixteen bytes, RCX:RBX into them; the address must be 16-byte aligned. @throws #GP(0) */
const compareExchange16: Semantics = (cpu, insn) => {
  const { words } = cpu
  const access = WRITE | cpu.user
  const at = operandAddress(cpu, insn, insn.operands[0]!, 16, true, 1)
  const atHi = cpu.hi
  if ((at & 15) !== 0) throw gp(0)
  probe(cpu, at, atHi, 16, access)
  const lowLo = load64(cpu, at, atHi, access)
  const lowHi = cpu.hi
  const highLo = load64(cpu, at + 8, atHi, access)
  const highHi = cpu.hi
  const equal = lowLo === words[RAX] && lowHi === words[RAX + 1] && highLo === words[RDX] && highHi === words[RDX + 1]
  setSomeFlags(cpu, ZF, equal ? ZF : 0)
  if (equal) {
    store16Bytes(cpu, at, atHi, words[RBX]!, words[RBX + 1]!, words[RCX]!, words[RCX + 1]!)
    return
  }
  store16Bytes(cpu, at, atHi, lowLo, lowHi, highLo, highHi)
  words[RAX] = lowLo
  words[RAX + 1] = lowHi
  words[RDX] = highLo
  words[RDX + 1] = highHi
}

/** Sixteen aligned bytes; `at + 8` cannot carry. */
function store16Bytes(cpu: Cpu, at: number, atHi: number, a: number, b: number, c: number, d: number): void {
  store64(cpu, at, atHi, a, b, WRITE | cpu.user)
  store64(cpu, at + 8, atHi, c, d, WRITE | cpu.user)
}

/** Compare and exchange (SDM 2A CMPXCHG, CMPXCHG8B/CMPXCHG16B). */
export const compareExchanges: Readonly<Record<string, (cpu: Cpu, insn: Decoded) => void>> = {
  cmpxchg: compareExchange,
  cmpxchg8b: compareExchange8,
  cmpxchg16b: compareExchange16,
}
