import type { Cpu } from '../cpu/cpu.js'
import { accessOf, baseOf, type Descriptor, isLong, markAccessed } from '../segment/descriptor.js'
import { checkTarget, commitCode, commitStack, dropInnerSegments } from '../segment/return.js'
import { ACCESS_DB } from '../state/control.js'
import { CPL, RIP, RSP, SS_ACCESS } from '../state/registers.js'
import { checkReturnShadow, commitReturnShadow, freeReturnToken } from './return-shadow.js'

/**
 * The end of a far return, from the check of RIP on: RIP and SSP are checked, accessed bits set, the left token freed, and
 * only then CS, CPL, SS, RIP and SSP change, and data segments of the inner ring are dropped. RSP is the caller's.
 *
 * @param cs the popped selector, whose RPL is the new CPL
 * @param ss the popped SS selector; ignored when `stack` is undefined
 * @param stack what to load SS with (null for a null selector), or undefined to leave it
 * @throws #GP(0), #CP(far-ret/iret), #PF
 */
export function completeReturn(
  cpu: Cpu,
  cs: number,
  code: Descriptor,
  ripLo: number,
  ripHi: number,
  ss: number,
  stack: Descriptor | null | undefined,
): void {
  const { words } = cpu
  const cpl = cs & 3
  const outward = cpl > words[CPL]!
  const lo = checkTarget(cpu, code, ripLo, ripHi)
  const { hi } = cpu
  const shadow = cpu.supervisorShadowStack || cpu.userShadowStack ? returnShadow(cpu, cs, code, lo, hi) : null
  markAccessed(cpu, code)
  if (stack) markAccessed(cpu, stack)
  if (shadow !== null) freeReturnToken(cpu, shadow)

  commitCode(cpu, cs, code, cpl)
  if (stack !== undefined) commitStack(cpu, ss, stack)
  words[RIP] = lo
  words[RIP + 1] = hi
  if (outward) dropInnerSegments(cpu)
  if (shadow !== null) commitReturnShadow(cpu, shadow)
}

function returnShadow(cpu: Cpu, cs: number, code: Descriptor, ripLo: number, ripHi: number) {
  const toLong = isLong(accessOf(code))
  const lipLo = toLong ? ripLo : (ripLo + baseOf(code)) | 0
  return checkReturnShadow(cpu, cs, lipLo, toLong ? ripHi : 0, cs & 3, toLong)
}

/**
 * Loads RSP with a popped value after SS and the code size are the new ones: all of it in 64-bit mode, ESP where SS.B = 1,
 * and only SP where SS.B = 0, so that the rest of the inner ring's stack pointer remains (the espfix leak).
 */
export function loadPoppedStackPointer(cpu: Cpu, lo: number, hi: number): void {
  const { words } = cpu
  if (cpu.codeSize === 64) {
    words[RSP] = lo
    words[RSP + 1] = hi
  } else if ((words[SS_ACCESS]! & ACCESS_DB) !== 0) {
    words[RSP] = lo
    words[RSP + 1] = 0
  } else {
    words[RSP] = (words[RSP]! & ~0xffff) | (lo & 0xffff)
  }
}
