import type { Cpu } from '../cpu/cpu.js'
import { ss, ts } from '../event/fault.js'
import { IMPLICIT, READ } from '../memory/access.js'
import { carried } from '../memory/carry.js'
import { load64 } from '../memory/linear.js'
import { isCanonical } from '../memory/segmented.js'
import { indexOf } from '../segment/descriptor.js'
import { SEGMENT_BASE, SEGMENT_LIMIT, SEGMENT_SELECTOR, segmentSlot, TR } from '../state/registers.js'

/** Offset of RSP0–RSP2 in the 64-bit TSS (SDM 3A 8.7). */
export const tssRspOffset = (ring: number): number => 4 + 8 * ring

/** Offset of IST1–IST7 in the 64-bit TSS. */
export const tssIstOffset = (n: number): number => 28 + 8 * n

/**
 * A stack pointer from the TSS that TR names: low half, high half in `cpu.hi`. @throws #TS(TSS selector + EXT) beyond the
 * limit of the TSS, #PF, #SS(EXT) for a pointer that is not canonical
 */
export function loadTaskStack(cpu: Cpu, offset: number): number {
  const slot = segmentSlot(TR)
  const { words } = cpu
  if (offset + 7 > words[slot + SEGMENT_LIMIT]! >>> 0) throw ts(indexOf(words[slot + SEGMENT_SELECTOR]!) | cpu.ext)
  const baseLo = words[slot + SEGMENT_BASE]!
  const lo = (baseLo + offset) | 0
  const rsp = load64(cpu, lo, carried(baseLo, words[slot + SEGMENT_BASE + 1]!, lo, offset), READ | IMPLICIT)
  if (!isCanonical(cpu, cpu.hi)) throw ss(cpu.ext)
  return rsp
}
