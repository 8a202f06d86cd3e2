import {
  adjustStackPointer,
  BLOCKED_BY_MOV_SS,
  type Cpu,
  type Decoded,
  DS,
  ES,
  effectiveAddress,
  FS,
  GS,
  linearAddress,
  load16,
  loadSegment,
  loadWidth,
  peek,
  readOperand,
  type Semantics,
  SS,
  stackAddressSize,
  writeOperand,
  writeRegister,
} from '@trapframe/core'
import { addToGpr, RSP_NUMBER } from './gpr.js'

/** Blocking after a load of SS: interrupts, NMIs and debug traps wait; its own single step is lost (SDM 3A 6.8.3). */
function blockAfterStackSegment(cpu: Cpu): void {
  cpu.shadow = BLOCKED_BY_MOV_SS
  cpu.singleStep = false
}

/** MOV to a segment register other than CS. @throws as loading a segment does */
export function moveToSegment(cpu: Cpu, insn: Decoded): void {
  const n = insn.operands[0]!.register
  const selector = readOperand(cpu, insn, insn.operands[1]!) & 0xffff
  loadSegment(cpu, n, selector)
  if (n === SS) blockAfterStackSegment(cpu)
}

/** MOV from a segment register: zero-extended into a register, 16 bits into memory. */
export function moveFromSegment(cpu: Cpu, insn: Decoded): void {
  const selector = readOperand(cpu, insn, insn.operands[1]!)
  writeOperand(cpu, insn, insn.operands[0]!, selector, 0)
}

/** POP of a segment register; SS blocks as MOV does, and RSP moves by the width of the stack that was. */
export function popSegment(cpu: Cpu, insn: Decoded): void {
  const n = insn.operands[0]!.register
  const selector = peek(cpu, 0, insn.operandSize) & 0xffff
  if (n !== SS) {
    loadSegment(cpu, n, selector)
    adjustStackPointer(cpu, insn.operandSize)
    return
  }
  const width = stackAddressSize(cpu)
  loadSegment(cpu, SS, selector)
  addToGpr(cpu, RSP_NUMBER, width, insn.operandSize)
  blockAfterStackSegment(cpu)
}

/** LSS, LFS, LGS, LES, LDS: a far pointer from memory, offset first. */
function loadFarPointer(n: number): Semantics {
  return (cpu, insn) => {
    const target = insn.operands[0]!
    const source = insn.operands[1]!
    const bytes = source.size - 2
    const effective = effectiveAddress(cpu, insn, source)
    const at = linearAddress(cpu, source.segment, effective, cpu.hi, source.size, false, bytes)
    const atHi = cpu.hi
    const lo = loadWidth(cpu, at, atHi, bytes, cpu.user)
    const hi = cpu.hi
    const selectorAt = (at + bytes) | 0
    const selector = load16(cpu, selectorAt, selectorAt >>> 0 < at >>> 0 ? atHi + 1 : atHi, cpu.user)
    loadSegment(cpu, n, selector)
    writeRegister(cpu, target, lo, hi)
    if (n === SS) blockAfterStackSegment(cpu)
  }
}

/** Loads of a segment register with a pointer (SDM 1 7.3.15). */
export const farPointers: Readonly<Record<string, Semantics>> = {
  les: loadFarPointer(ES),
  lds: loadFarPointer(DS),
  lss: loadFarPointer(SS),
  lfs: loadFarPointer(FS),
  lgs: loadFarPointer(GS),
}
