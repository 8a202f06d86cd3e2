import { loadShadow64, storeShadow32, storeShadow64 } from '../cet/shadow-stack.js'
import type { Cpu } from '../cpu/cpu.js'
import { CP_FAR_RET, cp, gp } from '../event/fault.js'
import { carried } from '../memory/carry.js'
import { CS, CS_SELECTOR, RIP, SEGMENT_BASE, SSP, segmentSlot } from '../state/registers.js'

/**
 * What far calls and IDT delivery leave on a shadow stack (SDM 1 17.2.2, 17.2.3), from its lowest byte up: the SSP
 * before, the linear return address, CS. Everything here works on addresses that it is given and leaves SSP alone.
 */

/** Bytes of a shadow-stack frame. */
export const SHADOW_FRAME_BYTES = 24

/**
 * Pushes CS, the linear address of RIP and SSP, as they are now, below `hi:lo`, with the privilege `user` (0 or USER).
 * The new SSP: low half, high half in `cpu.hi`. @throws #PF
 */
export function pushShadowFrame(cpu: Cpu, lo: number, hi: number, user: number): number {
  const { words } = cpu
  let at = (lo - 8) | 0
  storeShadow64(cpu, at, carried(lo, hi, at, -8), words[CS_SELECTOR]!, 0, user)
  at = (lo - 16) | 0
  const lip = linearRip(cpu)
  storeShadow64(cpu, at, carried(lo, hi, at, -16), lip, cpu.hi, user)
  at = (lo - SHADOW_FRAME_BYTES) | 0
  const atHi = carried(lo, hi, at, -SHADOW_FRAME_BYTES)
  storeShadow64(cpu, at, atHi, words[SSP]!, words[SSP + 1]!, user)
  cpu.hi = atHi
  return at
}

/**
 * The same on a shadow stack that may be aligned to 4 bytes only: then 4 bytes of zeros fill the gap first. @throws #PF
 */
export function pushAlignedShadowFrame(cpu: Cpu, lo: number, hi: number, user: number): number {
  if ((lo & 7) !== 0) {
    const below = (lo - 4) | 0
    storeShadow32(cpu, below, carried(lo, hi, below, -4), 0, user)
  }
  return pushShadowFrame(cpu, lo & ~7, hi, user)
}

/** The linear address of RIP: CS.base counts outside 64-bit mode. Low half, high half in `cpu.hi`. */
function linearRip(cpu: Cpu): number {
  const lo = cpu.words[RIP]!
  if (cpu.codeSize === 64) {
    cpu.hi = cpu.words[RIP + 1]!
    return lo
  }
  cpu.hi = 0
  return (lo + cpu.words[segmentSlot(CS) + SEGMENT_BASE]!) | 0
}

/**
 * The check of far RET and IRET that pop a shadow-stack frame: the frame at SSP must hold the CS selector and the linear
 * address that the return goes to. The SSP that it restores: low half, high half in `cpu.hi`.
 *
 * @param toLong the return goes to 64-bit code; otherwise the restored SSP must lie below 4 GiB
 * @throws #CP(far-ret/iret) for an SSP or a restored SSP that is not aligned, or a frame that differs; #GP(0), #PF
 */
export function checkShadowFrame(cpu: Cpu, cs: number, lipLo: number, lipHi: number, toLong: boolean): number {
  const { words, user } = cpu
  const lo = words[SSP]!
  const hi = words[SSP + 1]!
  if ((lo & 7) !== 0) throw cp(CP_FAR_RET)
  const restoredLo = loadShadow64(cpu, lo, hi, user)
  const restoredHi = cpu.hi
  let at = (lo + 8) | 0
  const savedLip = loadShadow64(cpu, at, carried(lo, hi, at, 8), user)
  const lipMatches = savedLip === lipLo && cpu.hi === lipHi
  at = (lo + 16) | 0
  const savedCs = loadShadow64(cpu, at, carried(lo, hi, at, 16), user)
  const csMatches = savedCs === cs && cpu.hi === 0
  if (!csMatches || !lipMatches || (restoredLo & 3) !== 0) throw cp(CP_FAR_RET)
  if (!toLong && restoredHi !== 0) throw gp(0)
  cpu.hi = restoredHi
  return restoredLo
}
