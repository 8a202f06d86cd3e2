import type { Cpu } from '../cpu/cpu.js'
import { RFLAGS } from '../state/registers.js'
import { RF } from '../state/rflags.js'
import { type CpuEvent, HARDWARE_EXCEPTION, isInstructionEvent, VECTOR_DB } from './event.js'

/**
 * The RFLAGS that a frame holds: RF is 1 for every hardware exception but #DB, 0 for types 4 to 7, and as found for
 * interrupts, NMIs and #DB (idt.md, fred.md; SDM 3B 17.3.1.1). TF and the rest are as found.
 */
export function savedRflags(cpu: Cpu, event: CpuEvent): number {
  const rflags = cpu.words[RFLAGS]!
  if (event.type === HARDWARE_EXCEPTION && event.vector !== VECTOR_DB) return rflags | RF
  if (isInstructionEvent(event.type)) return rflags & ~RF
  return rflags
}
