import { type Cpu, DS, ES, FS, GS } from '@trapframe/core'
import type { DataSelector } from '../layout/user-regs.js'

/** The data selectors that a CPU has now. */
export const liveSelectors = (cpu: Cpu): Readonly<Record<DataSelector, number>> => ({
  ds: cpu.segment(DS).selector,
  es: cpu.segment(ES).selector,
  fs: cpu.segment(FS).selector,
  gs: cpu.segment(GS).selector,
})
