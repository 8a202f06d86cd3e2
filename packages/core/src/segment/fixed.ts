import type { Cpu } from '../cpu/cpu.js'
import { codeAccess32, codeAccess64, dataAccess } from '../machine/reset.js'
import {
  CS,
  SEGMENT_ACCESS,
  SEGMENT_BASE,
  SEGMENT_LIMIT,
  SEGMENT_SELECTOR,
  SS,
  segmentSlot,
} from '../state/registers.js'

/**
 * The fixed segments of SYSCALL, SYSRET, SYSENTER, SYSEXIT and FRED: flat, from no table (SDM 2B SYSCALL). CPL is the
 * caller's to change.
 */
export function loadFixedCode(cpu: Cpu, selector: number, dpl: number, codeSize: 64 | 32): void {
  const slot = segmentSlot(CS)
  const { words } = cpu
  words[slot + SEGMENT_SELECTOR] = selector
  words[slot + SEGMENT_ACCESS] = codeSize === 64 ? codeAccess64(dpl) : codeAccess32(dpl)
  words[slot + SEGMENT_LIMIT] = -1
  words[slot + SEGMENT_BASE] = 0
  words[slot + SEGMENT_BASE + 1] = 0
  cpu.codeSize = codeSize
}

/** The flat stack segment that goes with it. */
export function loadFixedStack(cpu: Cpu, selector: number, dpl: number): void {
  const slot = segmentSlot(SS)
  const { words } = cpu
  words[slot + SEGMENT_SELECTOR] = selector
  words[slot + SEGMENT_ACCESS] = dataAccess(dpl)
  words[slot + SEGMENT_LIMIT] = -1
  words[slot + SEGMENT_BASE] = 0
  words[slot + SEGMENT_BASE + 1] = 0
}
