import {
  type Cpu,
  CR0,
  CR0_EM,
  CR0_NE,
  CR0_TS,
  type Decoded,
  Fault,
  nm,
  type RegionDeclaration,
  VECTOR_MF,
} from '@trapframe/core'
import { type Float, fromExtended, toExtended } from '../float/number.js'
import { ALL_EXCEPTIONS, INVALID } from '../float/round.js'
import { quad } from './quad.js'
import { unmodelled } from './unmodelled.js'

/**
 * Registers of x87, and MXCSR, in words: control word, status word, one bit for each register that is not empty, MXCSR,
 * eight significands of 64 bits, eight words with sign and exponent. The control word and MXCSR are kept as their
 * difference from the values of FNINIT and reset, so that a region of zeros is a CPU after both.
 */
export const FPU_REGION: RegionDeclaration = { name: 'isa/fpu', scope: 'cpu', bytes: 112, version: 1 }

const CONTROL = 0
const STATUS_WORD = 1
const VALID = 2
const MXCSR_WORD = 3
const SIGNIFICANDS = 4
const SIGN_EXPONENTS = 20

/** FCW after FNINIT: everything masked, 64 bits, to nearest. */
const FCW_INITIAL = 0x37f
const FCW_WRITABLE = 0x1f3f
/** Bit 6 reads as 1. */
const FCW_FIXED = 0x40
const MXCSR_INITIAL = 0x1f80

/** Bits of FSW: stack fault, error summary, condition codes, top of stack (from bit 11), busy. */
export const FSW_SF = 1 << 6
export const FSW_ES = 1 << 7
export const FSW_C0 = 1 << 8
export const FSW_C1 = 1 << 9
export const FSW_C2 = 1 << 10
export const FSW_C3 = 1 << 14
const FSW_B = 1 << 15
const TOP_SHIFT = 11
const TOP_MASK = 7 << TOP_SHIFT

function slotOf(cpu: Cpu): number {
  return cpu.machine.layout.regions.get(FPU_REGION.name)!.slot
}

export const controlWord = (cpu: Cpu): number => cpu.words[slotOf(cpu) + CONTROL]! ^ FCW_INITIAL
export const statusWord = (cpu: Cpu): number => cpu.words[slotOf(cpu) + STATUS_WORD]!
export const mxcsr = (cpu: Cpu): number => cpu.words[slotOf(cpu) + MXCSR_WORD]! ^ MXCSR_INITIAL

export function setMxcsr(cpu: Cpu, value: number): void {
  cpu.words[slotOf(cpu) + MXCSR_WORD] = value ^ MXCSR_INITIAL
}

/** FLDCW: unmasking an exception whose flag is set makes it pending, masking the last such one takes that back. */
export function setControlWord(cpu: Cpu, value: number): void {
  cpu.words[slotOf(cpu) + CONTROL] = ((value & FCW_WRITABLE) | FCW_FIXED) ^ FCW_INITIAL
  setStatusWord(cpu, statusWord(cpu))
}

/** Writes FSW; ES and B follow from flags and masks. */
export function setStatusWord(cpu: Cpu, value: number): void {
  const pending = (value & unmaskedX87(cpu)) !== 0
  cpu.words[slotOf(cpu) + STATUS_WORD] = (value & 0x7fff & ~FSW_ES) | (pending ? FSW_ES | FSW_B : 0)
}

/** FNINIT: FCW 37Fh, FSW 0, all registers empty; what they hold stays. */
export function initializeX87(cpu: Cpu): void {
  const slot = slotOf(cpu)
  cpu.words.fill(0, slot + CONTROL, slot + VALID + 1)
}

/** The exceptions that FCW does not mask. */
export const unmaskedX87 = (cpu: Cpu): number => ~controlWord(cpu) & ALL_EXCEPTIONS

/** What every x87 instruction but WAIT asks first: @throws #NM with CR0.EM or CR0.TS (SDM 3A 2.5) */
export function requireX87(cpu: Cpu): void {
  if ((cpu.words[CR0]! & (CR0_EM | CR0_TS)) !== 0) throw nm()
}

/**
 * What waiting instructions ask: @throws #MF when an unmasked exception is pending and CR0.NE is set (SDM 3A 6.15). With
 * CR0.NE clear a PC raises an interrupt through FERR#, which the model does not have.
 */
export function takePendingX87(cpu: Cpu, insn: Decoded): void {
  if ((statusWord(cpu) & FSW_ES) === 0) return
  if ((cpu.words[CR0]! & CR0_NE) === 0) throw unmodelled(cpu, insn, 'for an x87 exception is pending and CR0.NE is 0')
  throw new Fault(VECTOR_MF)
}

const top = (cpu: Cpu): number => (statusWord(cpu) & TOP_MASK) >>> TOP_SHIFT
const physical = (cpu: Cpu, i: number): number => (top(cpu) + i) & 7

/** FINCSTP and FDECSTP, and half of push and pop. */
export function rotateStack(cpu: Cpu, by: number): void {
  const slot = slotOf(cpu) + STATUS_WORD
  cpu.words[slot] = (cpu.words[slot]! & ~TOP_MASK) | (((top(cpu) + by) & 7) << TOP_SHIFT)
}

export function isEmpty(cpu: Cpu, i: number): boolean {
  return ((cpu.words[slotOf(cpu) + VALID]! >>> physical(cpu, i)) & 1) === 0
}

export function free(cpu: Cpu, i: number): void {
  const slot = slotOf(cpu) + VALID
  cpu.words[slot] = cpu.words[slot]! & ~(1 << physical(cpu, i))
}

/** ST(i), whether empty or not. */
export function readStack(cpu: Cpu, i: number): Float {
  const [significand, signExponent] = readStackBits(cpu, i)
  return fromExtended(significand, signExponent)
}

export function readStackBits(cpu: Cpu, i: number): readonly [significand: bigint, signExponent: number] {
  const n = physical(cpu, i)
  const slot = slotOf(cpu)
  const at = slot + SIGNIFICANDS + 2 * n
  return [quad(cpu.words[at]!, cpu.words[at + 1]!), cpu.words[slot + SIGN_EXPONENTS + n]!]
}

export function writeStack(cpu: Cpu, i: number, value: Float): void {
  writeStackBits(cpu, i, ...toExtended(value))
}

/** Writes ST(i), which is not empty afterwards. */
export function writeStackBits(cpu: Cpu, i: number, significand: bigint, signExponent: number): void {
  const n = physical(cpu, i)
  const slot = slotOf(cpu)
  cpu.set64(slot + SIGNIFICANDS + 2 * n, significand)
  cpu.words[slot + SIGN_EXPONENTS + n] = signExponent
  cpu.words[slot + VALID] = cpu.words[slot + VALID]! | (1 << n)
}

export function pop(cpu: Cpu): void {
  free(cpu, 0)
  rotateStack(cpu, 1)
}

/**
 * Notes exceptions in FSW, where they stay: C1 is `c1`, ES and B are set when one of them is not masked. True when an
 * unmasked one of `blocking` keeps the instruction from its result.
 */
export function noteX87(cpu: Cpu, flags: number, c1: boolean, blocking: number): boolean {
  setStatusWord(cpu, (statusWord(cpu) & ~FSW_C1) | flags | (c1 ? FSW_C1 : 0))
  return (flags & unmaskedX87(cpu) & blocking) !== 0
}

/** A stack underflow (an empty register is read) or overflow (one that is not would be pushed onto): #IS. True when it is not masked. */
export function stackFault(cpu: Cpu, overflow: boolean): boolean {
  return noteX87(cpu, INVALID | FSW_SF, overflow, INVALID)
}

/** Rounding control of FCW. */
export const x87Rounding = (cpu: Cpu): number => (controlWord(cpu) >>> 10) & 3
