import type { Cpu } from '../cpu/cpu.js'
import { READ, WRITE } from '../memory/access.js'
import { load8, load16, load32, load64, store8, store16, store32, store64 } from '../memory/linear.js'
import { linearAddress } from '../memory/segmented.js'
import { RIP, segmentSlot } from '../state/registers.js'
import {
  BASE_RIP,
  type Decoded,
  NO_REGISTER,
  OPERAND_GPR,
  OPERAND_MEMORY,
  OPERAND_SEGMENT,
  type Operand,
} from './decoded.js'

/**
 * Operands of an instruction that executes. Values are zero-extended from the operand's size to 64 bits: the functions
 * return the low half and leave the high half in `cpu.hi`. Registers are written as 64-bit mode does it: 32 bits clear
 * the upper half, 8 and 16 bits leave the rest of the register alone.
 */

/**
 * The effective address of a memory operand, cut to the address size: low half, high half in `cpu.hi`. RIP-relative
 * addresses count from RIP as it stands, which is the next instruction while an instruction executes (SDM 1 3.7.5).
 */
export function effectiveAddress(cpu: Cpu, insn: Decoded, op: Operand): number {
  const { words } = cpu
  let lo = op.lo
  let hi = op.hi
  if (op.base !== NO_REGISTER) {
    const base = op.base === BASE_RIP ? RIP : op.base << 1
    const sum = (lo + words[base]!) | 0
    hi = (hi + words[base + 1]! + (sum >>> 0 < lo >>> 0 ? 1 : 0)) | 0
    lo = sum
  }
  if (op.index !== NO_REGISTER) {
    const index = op.index << 1
    // scale is 1, 2, 4 or 8: log2 is its bit number
    const shift = 31 - Math.clz32(op.scale)
    const indexLo = words[index]!
    const scaled = indexLo << shift
    const sum = (lo + scaled) | 0
    const carried = shift === 0 ? 0 : indexLo >>> (32 - shift)
    hi = (hi + ((words[index + 1]! << shift) | carried) + (sum >>> 0 < lo >>> 0 ? 1 : 0)) | 0
    lo = sum
  }
  if (insn.addressSize === 8) {
    cpu.hi = hi
    return lo
  }
  cpu.hi = 0
  return insn.addressSize === 4 ? lo : lo & 0xffff
}

/**
 * The linear address of `bytes` bytes at a memory operand, after the checks of segment, canonical form and alignment:
 * low half, high half in `cpu.hi`.
 *
 * @param alignment bytes to which CPL 3 must align while #AC is enabled; 1 for none
 * @throws #GP(0), #SS(0), #AC(0)
 */
export function operandAddress(
  cpu: Cpu,
  insn: Decoded,
  op: Operand,
  bytes: number,
  write: boolean,
  alignment: number = bytes,
): number {
  const lo = effectiveAddress(cpu, insn, op)
  return linearAddress(cpu, op.segment, lo, cpu.hi, bytes, write, alignment)
}

/** The value of an operand: general, high-byte or segment register, memory or immediate. @throws #GP, #SS, #PF, #AC */
export function readOperand(cpu: Cpu, insn: Decoded, op: Operand): number {
  switch (op.kind) {
    case OPERAND_GPR:
      return readRegister(cpu, op)
    case OPERAND_MEMORY: {
      const lo = operandAddress(cpu, insn, op, op.size, false)
      return loadWidth(cpu, lo, cpu.hi, op.size, READ | cpu.user)
    }
    case OPERAND_SEGMENT:
      cpu.hi = 0
      return cpu.words[segmentSlot(op.register)]! & 0xffff
    default:
      cpu.hi = op.size === 8 ? op.hi : 0
      return truncate(op.lo, op.size)
  }
}

/** Writes a general register or memory. @throws #GP, #SS, #PF, #AC */
export function writeOperand(cpu: Cpu, insn: Decoded, op: Operand, lo: number, hi: number): void {
  if (op.kind === OPERAND_GPR) {
    writeRegister(cpu, op, lo, hi)
    return
  }
  const at = operandAddress(cpu, insn, op, op.size, true)
  storeWidth(cpu, at, cpu.hi, op.size, lo, hi, WRITE | cpu.user)
}

/** A general register operand, high bytes included. */
export function readRegister(cpu: Cpu, op: Operand): number {
  const slot = op.register << 1
  const { words } = cpu
  switch (op.size) {
    case 8:
      cpu.hi = words[slot + 1]!
      return words[slot]!
    case 4:
      cpu.hi = 0
      return words[slot]!
    case 2:
      cpu.hi = 0
      return words[slot]! & 0xffff
    default:
      cpu.hi = 0
      return op.high ? (words[slot]! >>> 8) & 0xff : words[slot]! & 0xff
  }
}

/** Writes a general register operand, high bytes included. */
export function writeRegister(cpu: Cpu, op: Operand, lo: number, hi: number): void {
  const slot = op.register << 1
  const { words } = cpu
  switch (op.size) {
    case 8:
      words[slot] = lo
      words[slot + 1] = hi
      return
    case 4:
      words[slot] = lo
      words[slot + 1] = 0
      return
    case 2:
      words[slot] = (words[slot]! & ~0xffff) | (lo & 0xffff)
      return
    default:
      words[slot] = op.high ? (words[slot]! & ~0xff00) | ((lo & 0xff) << 8) : (words[slot]! & ~0xff) | (lo & 0xff)
  }
}

/** Loads 1, 2, 4 or 8 bytes at a linear address, zero-extended: low half, high half in `cpu.hi`. @throws #PF */
export function loadWidth(cpu: Cpu, lo: number, hi: number, bytes: number, access: number): number {
  if (bytes === 8) return load64(cpu, lo, hi, access)
  const value =
    bytes === 4 ? load32(cpu, lo, hi, access) : bytes === 2 ? load16(cpu, lo, hi, access) : load8(cpu, lo, hi, access)
  cpu.hi = 0
  return value
}

/** Stores 1, 2, 4 or 8 bytes at a linear address. @throws #PF */
export function storeWidth(
  cpu: Cpu,
  lo: number,
  hi: number,
  bytes: number,
  valueLo: number,
  valueHi: number,
  access: number,
): void {
  if (bytes === 8) store64(cpu, lo, hi, valueLo, valueHi, access)
  else if (bytes === 4) store32(cpu, lo, hi, valueLo, access)
  else if (bytes === 2) store16(cpu, lo, hi, valueLo, access)
  else store8(cpu, lo, hi, valueLo, access)
}

/** The low half of a value cut to `bytes` bytes. */
function truncate(lo: number, bytes: number): number {
  return bytes >= 4 ? lo : bytes === 2 ? lo & 0xffff : lo & 0xff
}
