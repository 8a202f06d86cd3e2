import {
  type Cpu,
  carried,
  gp,
  isCanonical,
  RIP,
  SHADOW_FRAME_BYTES,
  SSP,
  storeShadow32,
  storeShadow64,
} from '@trapframe/core'

// Offsets from SSP in what delivery pushes on a supervisor shadow stack.

/** The SSP before the event. */
export const SHADOW_SSP = 0
/** The linear address of the frame's RIP. */
export const SHADOW_LIP = 8
/** CS, with bits 18:16 as in the frame. */
export const SHADOW_CS = 16

/**
 * Pushes what an event in ring 0 leaves on the shadow stack that starts at `hi:lo`: four zero bytes, then, aligned to 8,
 * CS, LIP and the SSP before the event (SDM 3A 8.3.5). No token is read or written (A6). Returns the low half of the new
 * SSP, the high half in `cpu.hi`; SSP itself stays.
 *
 * @throws #PF with bit 6 of the error code, #GP for an address that is not canonical
 */
export function pushShadowFrame(cpu: Cpu, lo: number, hi: number, csImage: number): number {
  const { words } = cpu
  const gapLo = (lo - 4) | 0
  const gapHi = carried(lo, hi, gapLo, -4)
  const alignedLo = lo & ~7
  const newLo = (alignedLo - SHADOW_FRAME_BYTES) | 0
  const newHi = carried(alignedLo, hi, newLo, -SHADOW_FRAME_BYTES)
  if (!isCanonical(cpu, gapHi) || !isCanonical(cpu, newHi)) throw gp(cpu.ext)
  storeShadow32(cpu, gapLo, gapHi, 0, 0)
  const csLo = (newLo + SHADOW_CS) | 0
  const lipLo = (newLo + SHADOW_LIP) | 0
  storeShadow64(cpu, csLo, carried(newLo, newHi, csLo, SHADOW_CS), csImage, 0, 0)
  storeShadow64(cpu, lipLo, carried(newLo, newHi, lipLo, SHADOW_LIP), words[RIP]!, words[RIP + 1]!, 0)
  storeShadow64(cpu, newLo, newHi, words[SSP]!, words[SSP + 1]!, 0)
  cpu.hi = newHi
  return newLo
}
