import { type Cpu, CR4, Fault, gp, readOperand, type Semantics, ud, VECTOR_XM, writeOperand } from '@trapframe/core'
import type { FloatFormat } from '../float/number.js'
import { ALL_EXCEPTIONS, type Rounding } from '../float/round.js'
import { mxcsr, setMxcsr } from './fpu-state.js'
import { requireSse } from './vector-operand.js'

/** CR4.OSXMMEXCPT. */
export const CR4_OSXMMEXCPT = 1 << 10

/** Flags 5:0, DAZ, masks 12:7, RC 14:13, FZ: bits above are reserved. */
const MXCSR_BITS = 0xffff
export const MXCSR_DAZ = 1 << 6
const MXCSR_FTZ = 1 << 15
const MASKS_SHIFT = 7
const ROUNDING_SHIFT = 13

const unmasked = (value: number): number => ~(value >>> MASKS_SHIFT) & ALL_EXCEPTIONS

/** How MXCSR has a result rounded. */
export function sseRounding(cpu: Cpu, format: FloatFormat): Rounding {
  const value = mxcsr(cpu)
  return {
    format,
    mode: (value >>> ROUNDING_SHIFT) & 3,
    unmasked: unmasked(value),
    flushToZero: (value & MXCSR_FTZ) !== 0,
  }
}

/**
 * Notes exceptions in MXCSR, where they stay. The instruction must not have changed anything else yet.
 *
 * @throws #XM when one of them is not masked, #UD instead without CR4.OSXMMEXCPT (SDM 1 11.5)
 */
export function noteSse(cpu: Cpu, flags: number): void {
  if (flags === 0) return
  const value = mxcsr(cpu)
  setMxcsr(cpu, value | flags)
  if ((flags & unmasked(value)) === 0) return
  throw (cpu.words[CR4]! & CR4_OSXMMEXCPT) === 0 ? ud() : new Fault(VECTOR_XM)
}

const load: Semantics = (cpu, insn) => {
  requireSse(cpu, insn)
  const value = readOperand(cpu, insn, insn.operands[0]!)
  if ((value & ~MXCSR_BITS) !== 0) throw gp(0)
  setMxcsr(cpu, value)
}

const store: Semantics = (cpu, insn) => {
  requireSse(cpu, insn)
  writeOperand(cpu, insn, insn.operands[0]!, mxcsr(cpu), 0)
}

/** LDMXCSR and STMXCSR. Loading a flag together with its mask clear raises nothing (SDM 1 10.2.3). */
export const vectorControl: Readonly<Record<string, Semantics>> = { ldmxcsr: load, stmxcsr: store }
