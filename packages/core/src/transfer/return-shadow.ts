import type { Cpu } from '../cpu/cpu.js'
import { CP_FAR_RET, cp, gp } from '../event/fault.js'
import { carried } from '../memory/carry.js'
import { CPL, PL3_SSP, SSP } from '../state/registers.js'
import { checkShadowFrame, SHADOW_FRAME_BYTES } from './shadow-frame.js'
import { freeToken } from './shadow-token.js'

/** What a checked far return does to shadow stacks. */
export interface ReturnShadow {
  /** The new SSP; undefined where the new privilege has no shadow stack. */
  readonly ssp: { readonly lo: number; readonly hi: number } | null
  /** The token of the supervisor shadow stack that is left. */
  readonly token: { readonly lo: number; readonly hi: number } | null
}

/**
 * The shadow-stack side of far RET and IRET to privilege `cpl`, before anything changes (SDM 1 17.2.2; SDM 2A IRET): a
 * frame is popped and compared unless the return goes out to ring 3, whose SSP lies in IA32_PL3_SSP. Null where neither
 * privilege has a shadow stack.
 *
 * @throws #CP(far-ret/iret), #GP(0), #PF
 */
export function checkReturnShadow(
  cpu: Cpu,
  cs: number,
  lipLo: number,
  lipHi: number,
  cpl: number,
  toLong: boolean,
): ReturnShadow | null {
  const { words } = cpu
  const outward = cpl > words[CPL]!
  const leavesStack = cpu.shadowStack
  const hasStack = cpl === 3 ? cpu.userShadowStack : cpu.supervisorShadowStack
  if (!leavesStack && !hasStack) return null

  let tokenLo = words[SSP]!
  let tokenHi = words[SSP + 1]!
  if (leavesStack && (tokenLo & 7) !== 0) throw cp(CP_FAR_RET)
  let lo: number
  let hi: number
  if (outward && cpl === 3) {
    lo = words[PL3_SSP]!
    hi = words[PL3_SSP + 1]!
    if (hasStack && !toLong && hi !== 0) throw gp(0)
  } else {
    lo = checkShadowFrame(cpu, cs, lipLo, lipHi, toLong)
    hi = cpu.hi
    const after = (tokenLo + SHADOW_FRAME_BYTES) | 0
    tokenHi = carried(tokenLo, tokenHi, after, SHADOW_FRAME_BYTES)
    tokenLo = after
  }
  const frees = leavesStack && (outward || lo !== tokenLo || hi !== tokenHi) && hasTokens(cpu)
  return { ssp: hasStack ? { lo, hi } : null, token: frees ? { lo: tokenLo, hi: tokenHi } : null }
}

function hasTokens(cpu: Cpu): boolean {
  return cpu.mechanism === null || cpu.mechanism.transferPolicy.shadowStackTokens
}

/** Frees the token of the stack that is left, silently where there is none. The last step that can fault. @throws #PF */
export function freeReturnToken(cpu: Cpu, shadow: ReturnShadow): void {
  if (shadow.token !== null) freeToken(cpu, shadow.token.lo, shadow.token.hi, cpu.user)
}

/** Loads SSP. Cannot fault. */
export function commitReturnShadow(cpu: Cpu, shadow: ReturnShadow): void {
  if (shadow.ssp === null) return
  cpu.words[SSP] = shadow.ssp.lo
  cpu.words[SSP + 1] = shadow.ssp.hi
}
