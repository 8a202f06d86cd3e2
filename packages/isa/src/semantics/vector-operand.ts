import {
  type Cpu,
  CR0,
  CR0_EM,
  CR0_TS,
  CR4,
  CR4_OSFXSR,
  carried,
  type Decoded,
  gp,
  load64,
  nm,
  OPERAND_OTHER,
  OPERAND_XMM,
  type Operand,
  operandAddress,
  probe,
  READ,
  readOperand,
  store64,
  storeWidth,
  ud,
  WRITE,
  XMM,
} from '@trapframe/core'
import { quad } from './quad.js'
import { unmodelled } from './unmodelled.js'

const BYTES = 16
const WORDS = 4

/**
 * What legacy SSE instructions ask first. The forms of some of them on MMX registers are not modelled.
 *
 * @throws #UD with CR0.EM or without CR4.OSFXSR, #NM with CR0.TS (SDM 3A 13.1.3)
 */
export function requireSse(cpu: Cpu, insn: Decoded): void {
  const { words } = cpu
  const mmx = insn.operands.some((op) => op.kind === OPERAND_OTHER)
  if ((words[CR0]! & CR0_EM) !== 0 || (!mmx && (words[CR4]! & CR4_OSFXSR) === 0)) throw ud()
  if ((words[CR0]! & CR0_TS) !== 0) throw nm()
  if (mmx) throw unmodelled(cpu, insn, 'for there are no MMX registers')
}

/** First word of an XMM register. */
export const xmmSlot = (op: Operand): number => XMM + op.register * WORDS

/**
 * Linear address of 16 bytes that all may be accessed. A misaligned one is #GP(0) where `aligned`; elsewhere #AC is for
 * any address that is not a multiple of 16 (recorded on Zen 4; Intel leaves it to the implementation).
 */
function checkedAddress(cpu: Cpu, insn: Decoded, op: Operand, access: number, aligned: boolean): number {
  const lo = operandAddress(cpu, insn, op, BYTES, (access & WRITE) !== 0, aligned ? 1 : BYTES)
  const hi = cpu.hi
  if (aligned && (lo & (BYTES - 1)) !== 0) throw gp(0)
  probe(cpu, lo, hi, BYTES, access)
  cpu.hi = hi
  return lo
}

/** A 128-bit operand, register or memory, as four words. */
export function readVector(cpu: Cpu, insn: Decoded, op: Operand, aligned: boolean): number[] {
  const { words } = cpu
  if (op.kind === OPERAND_XMM) return Array.from(words.subarray(xmmSlot(op), xmmSlot(op) + WORDS))
  const access = READ | cpu.user
  const at = checkedAddress(cpu, insn, op, access, aligned)
  const atHi = cpu.hi
  const a = load64(cpu, at, atHi, access)
  const b = cpu.hi
  const upper = (at + 8) | 0
  const c = load64(cpu, upper, carried(at, atHi, upper, 8), access)
  return [a, b, c, cpu.hi]
}

export function writeVector(cpu: Cpu, insn: Decoded, op: Operand, value: readonly number[], aligned: boolean): void {
  if (op.kind === OPERAND_XMM) {
    cpu.words.set(value, xmmSlot(op))
    return
  }
  const access = WRITE | cpu.user
  const at = checkedAddress(cpu, insn, op, access, aligned)
  const atHi = cpu.hi
  const upper = (at + 8) | 0
  store64(cpu, at, atHi, value[0]!, value[1]!, access)
  store64(cpu, upper, carried(at, atHi, upper, 8), value[2]!, value[3]!, access)
}

/** The low 4 or 8 bytes of an XMM register, a general register or memory: low half, high half in `cpu.hi`. */
export function readScalar(cpu: Cpu, insn: Decoded, op: Operand, bytes: number): number {
  if (op.kind !== OPERAND_XMM) return readOperand(cpu, insn, op)
  const slot = xmmSlot(op)
  cpu.hi = bytes === 8 ? cpu.words[slot + 1]! : 0
  return cpu.words[slot]!
}

/** The same as bits. */
export function readScalarBits(cpu: Cpu, insn: Decoded, op: Operand, bytes: number): bigint {
  const lo = readScalar(cpu, insn, op, bytes)
  return quad(lo, cpu.hi)
}

/** Writes the low 4 or 8 bytes of an XMM register and leaves the rest. */
export function writeScalarBits(cpu: Cpu, op: Operand, bytes: number, bits: bigint): void {
  const slot = xmmSlot(op)
  cpu.words[slot] = Number(BigInt.asIntN(32, bits))
  if (bytes === 8) cpu.words[slot + 1] = Number(BigInt.asIntN(32, bits >> 32n))
}

/** Stores 4 or 8 bytes to memory. @throws #PF and the like */
export function storeScalar(cpu: Cpu, insn: Decoded, op: Operand, bytes: number, lo: number, hi: number): void {
  const at = operandAddress(cpu, insn, op, bytes, true)
  storeWidth(cpu, at, cpu.hi, bytes, lo, hi, WRITE | cpu.user)
}
