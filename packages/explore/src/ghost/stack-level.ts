import { CPL, type Cpu } from '@trapframe/core'

/** IA32_FRED_CONFIG; its bits 1:0 are the current stack level. */
const FRED_CONFIG = 0x1d4

/** The stack level that a CPU runs at; 0 at CPL 3, and where there are none. */
export function stackLevel(cpu: Cpu): number {
  const msr = cpu.machine.msrs.get(FRED_CONFIG)
  return msr === undefined || cpu.words[CPL] === 3 ? 0 : cpu.words[msr.slot]! & 3
}
