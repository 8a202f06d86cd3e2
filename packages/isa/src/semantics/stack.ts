import {
  adjustStackPointer,
  type Cpu,
  carried,
  type Decoded,
  effectiveAddress,
  IF,
  IOPL,
  linearAddress,
  load16,
  load32,
  load64,
  OPERAND_GPR,
  OPERAND_SEGMENT,
  type Operand,
  peek,
  probe,
  push,
  RBP,
  RF,
  RFLAGS,
  RFLAGS_FIXED,
  RFLAGS_MASK,
  RSP,
  readOperand,
  type Semantics,
  SS,
  stackAddressSize,
  storeWidth,
  VIF,
  VIP,
  VM,
  WRITE,
  writeRegister,
} from '@trapframe/core'
import { RBP_NUMBER, RSP_NUMBER, readGpr, writeGpr } from './gpr.js'
import { popSegment } from './segment-register.js'

const pushOperand: Semantics = (cpu, insn) => {
  const lo = readOperand(cpu, insn, insn.operands[0]!)
  push(cpu, insn.operandSize, lo, cpu.hi)
}

const popOperand: Semantics = (cpu, insn) => {
  const target = insn.operands[0]!
  const bytes = insn.operandSize
  if (target.kind === OPERAND_SEGMENT) return popSegment(cpu, insn)
  const lo = peek(cpu, 0, bytes)
  const hi = cpu.hi
  if (target.kind === OPERAND_GPR) {
    // POP RSP: the value popped wins over the increment
    adjustStackPointer(cpu, bytes)
    writeRegister(cpu, target, lo, hi)
    return
  }
  popToMemory(cpu, insn, target, lo, hi)
  adjustStackPointer(cpu, bytes)
}

/** An address that RSP is part of counts from RSP after the pop (SDM 2B POP). */
function popToMemory(cpu: Cpu, insn: Decoded, target: Operand, lo: number, hi: number): void {
  const bytes = insn.operandSize
  const before = effectiveAddress(cpu, insn, target)
  let at = before
  let atHi = cpu.hi
  if (target.base === RSP_NUMBER) {
    at = (before + bytes) | 0
    if (insn.addressSize === 8 && at >>> 0 < before >>> 0) atHi = (atHi + 1) | 0
  }
  const address = linearAddress(cpu, target.segment, at, atHi, bytes, true)
  storeWidth(cpu, address, cpu.hi, bytes, lo, hi, WRITE | cpu.user)
}

/** PUSHF stores RFLAGS without VM and RF. */
const pushFlags: Semantics = (cpu, insn) => {
  push(cpu, insn.operandSize, cpu.words[RFLAGS]! & ~(VM | RF), 0)
}

/**
 * POPF: IOPL changes at CPL 0 only, IF where CPL ≤ IOPL; VM, VIF and VIP stay, RF is cleared. 16 bits leave the upper
 * ones alone. Nothing faults on a flag that may not change (SDM 2B POPF).
 */
const popFlags: Semantics = (cpu, insn) => {
  const old = cpu.words[RFLAGS]!
  const value = peek(cpu, 0, insn.operandSize)
  const cpl = cpu.cpl
  let changeable = RFLAGS_MASK & ~(VM | VIF | VIP)
  if (insn.operandSize === 2) changeable &= 0xffff
  if (cpl > 0) changeable &= ~IOPL
  if (cpl > (old & IOPL) >>> 12) changeable &= ~IF
  cpu.words[RFLAGS] = (((old & ~changeable) | (value & changeable)) & ~RF) | RFLAGS_FIXED
  adjustStackPointer(cpu, insn.operandSize)
}

/** Eight registers, 2 or 4 bytes each, in compatibility mode; the RSP pushed is the one before. */
const pushAll: Semantics = (cpu, insn) => {
  const bytes = insn.operandSize
  const { words } = cpu
  const lo = words[RSP]!
  const hi = words[RSP + 1]!
  try {
    for (let n = 0; n < 8; n++) push(cpu, bytes, n === RSP_NUMBER ? lo : readGpr(cpu, n, bytes), 0)
  } catch (thrown) {
    words[RSP] = lo
    words[RSP + 1] = hi
    throw thrown
  }
}

const popAll: Semantics = (cpu, insn) => {
  const bytes = insn.operandSize
  const values: number[] = []
  for (let n = 7; n >= 0; n--) values[n] = peek(cpu, (7 - n) * bytes, bytes)
  for (const [n, value] of values.entries()) if (n !== RSP_NUMBER) writeGpr(cpu, n, bytes, value, 0)
  adjustStackPointer(cpu, 8 * bytes)
}

/** Where the stack pointer lies for ENTER and LEAVE: an offset cut to the width of the stack. */
function stackOffset(cpu: Cpu, register: number, offset: number): number {
  const width = stackAddressSize(cpu)
  const lo = cpu.words[register]!
  const sum = (lo + offset) | 0
  cpu.hi = width === 8 ? carried(lo, cpu.words[register + 1]!, sum, offset) : 0
  return width === 2 ? sum & 0xffff : sum
}

function loadStack(cpu: Cpu, register: number, offset: number, bytes: number): number {
  const at = stackOffset(cpu, register, offset)
  const address = linearAddress(cpu, SS, at, cpu.hi, bytes, false)
  if (bytes === 8) return load64(cpu, address, cpu.hi, cpu.user)
  const value = bytes === 4 ? load32(cpu, address, cpu.hi, cpu.user) : load16(cpu, address, cpu.hi, cpu.user)
  cpu.hi = 0
  return value
}

function storeStack(cpu: Cpu, offset: number, bytes: number, lo: number, hi: number): void {
  const at = stackOffset(cpu, RSP, offset)
  const address = linearAddress(cpu, SS, at, cpu.hi, bytes, true)
  storeWidth(cpu, address, cpu.hi, bytes, lo, hi, WRITE | cpu.user)
}

/** ENTER: pushes rBP and, for nesting levels above 0, the frame pointers; the last byte of the frame must be writable. */
const enter: Semantics = (cpu, insn) => {
  const bytes = insn.operandSize
  const allocated = insn.operands[0]!.lo & 0xffff
  const level = insn.operands[1]!.lo & 31
  const rbp = readGpr(cpu, RBP_NUMBER, bytes)
  storeStack(cpu, -bytes, bytes, rbp, cpu.hi)
  const frameLo = stackOffset(cpu, RSP, -bytes)
  const frameHi = cpu.hi
  let pushed = bytes
  for (let i = 1; i < level; i++) {
    const lo = loadStack(cpu, RBP, -i * bytes, bytes)
    pushed += bytes
    storeStack(cpu, -pushed, bytes, lo, cpu.hi)
  }
  if (level > 0) {
    pushed += bytes
    storeStack(cpu, -pushed, bytes, frameLo, frameHi)
  }
  const endLo = stackOffset(cpu, RSP, -(pushed + allocated))
  const end = linearAddress(cpu, SS, endLo, cpu.hi, bytes, true, 1)
  probe(cpu, end, cpu.hi, bytes, WRITE | cpu.user)
  writeGpr(cpu, RBP_NUMBER, bytes, frameLo, frameHi)
  adjustStackPointer(cpu, -(pushed + allocated))
}

/** LEAVE: rSP = rBP, then pops rBP. */
const leave: Semantics = (cpu, insn) => {
  const bytes = insn.operandSize
  const lo = loadStack(cpu, RBP, 0, bytes)
  const hi = cpu.hi
  const width = stackAddressSize(cpu)
  const rbp = readGpr(cpu, RBP_NUMBER, width)
  writeGpr(cpu, RSP_NUMBER, width, rbp, cpu.hi)
  adjustStackPointer(cpu, bytes)
  writeGpr(cpu, RBP_NUMBER, bytes, lo, hi)
}

/** The stack (SDM 1 6.2). RSP moves only when nothing can fault any more. */
export const stack: Readonly<Record<string, Semantics>> = {
  push: pushOperand,
  pop: popOperand,
  pushf: pushFlags,
  popf: popFlags,
  pusha: pushAll,
  popa: popAll,
  enter,
  leave,
}
