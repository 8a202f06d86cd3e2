import { demandEndbranch } from '../cet/endbranch.js'
import type { Cpu } from '../cpu/cpu.js'
import { gp, ss } from '../event/fault.js'
import type { Decoded } from '../instruction/decoded.js'
import { IMPLICIT, WRITE } from '../memory/access.js'
import { carried } from '../memory/carry.js'
import { store64 } from '../memory/linear.js'
import { isCanonical } from '../memory/segmented.js'
import { adjustStackPointer, poke } from '../memory/stack.js'
import { accessOf, dplOf, isConforming, loadNull, markAccessed } from '../segment/descriptor.js'
import { checkTarget, commitCode } from '../segment/return.js'
import { CPL, CS_SELECTOR, PL0_SSP, PL3_SSP, RIP, RSP, SS, SS_SELECTOR, SSP } from '../state/registers.js'
import { readFarPointer } from './far-pointer.js'
import { type FarTarget, resolveFarTarget } from './far-target.js'
import { checkLowShadowStack } from './jump.js'
import { pushAlignedShadowFrame, pushShadowFrame } from './shadow-frame.js'
import { takeToken } from './shadow-token.js'
import { loadTaskStack, tssRspOffset } from './task-stack.js'

/**
 * Far CALL, directly or through a call gate (SDM 2A CALL). A gate to a non-conforming segment of an inner ring switches
 * to that ring's stack. RIP is checked after the pushes, which stay in memory when it is refused. @throws #GP, #NP, #SS, #TS, #PF, #AC
 */
export function callFar(cpu: Cpu, insn: Decoded): void {
  const target = resolveFarTarget(cpu, readFarPointer(cpu, insn), insn.operandSize, true)
  const access = accessOf(target.code)
  if (target.gate && !isConforming(access) && dplOf(access) < cpu.words[CPL]!) callInward(cpu, target, dplOf(access))
  else callWithin(cpu, target, target.gate ? 8 : insn.operandSize)
}

/** At the same privilege: CS and the return address on the current stack, each `bytes` wide. */
function callWithin(cpu: Cpu, target: FarTarget, bytes: number): void {
  const { words } = cpu
  poke(cpu, -bytes, bytes, words[CS_SELECTOR]!, 0)
  poke(cpu, -2 * bytes, bytes, words[RIP]!, words[RIP + 1]!)
  const lo = checkTarget(cpu, target.code, target.lo, target.hi)
  const { hi } = cpu
  checkLowShadowStack(cpu, target.code)
  markAccessed(cpu, target.code)
  const { shadowStack } = cpu
  let sspLo = 0
  let sspHi = 0
  if (shadowStack) {
    sspLo = pushAlignedShadowFrame(cpu, words[SSP]!, words[SSP + 1]!, cpu.user)
    sspHi = cpu.hi
  }
  adjustStackPointer(cpu, -2 * bytes)
  commitCode(cpu, target.selector, target.code, words[CPL]!)
  words[RIP] = lo
  words[RIP + 1] = hi
  if (shadowStack) {
    words[SSP] = sspLo
    words[SSP + 1] = sspHi
  }
  demandEndbranch(cpu)
}

/** To ring `ring` through a gate: SS, RSP, CS and RIP on the stack that the TSS names; SS becomes null. */
function callInward(cpu: Cpu, target: FarTarget, ring: number): void {
  const { words } = cpu
  const topLo = loadTaskStack(cpu, tssRspOffset(ring))
  const topHi = cpu.hi
  const rspLo = (topLo - 32) | 0
  const rspHi = carried(topLo, topHi, rspLo, -32)
  if (!isCanonical(cpu, rspHi)) throw ss(0)
  pushBelow(cpu, topLo, topHi, 8, words[SS_SELECTOR]!, 0)
  pushBelow(cpu, topLo, topHi, 16, words[RSP]!, words[RSP + 1]!)
  pushBelow(cpu, topLo, topHi, 24, words[CS_SELECTOR]!, 0)
  pushBelow(cpu, topLo, topHi, 32, words[RIP]!, words[RIP + 1]!)
  const lo = checkTarget(cpu, target.code, target.lo, target.hi)
  const { hi } = cpu
  markAccessed(cpu, target.code)

  const fromRing3 = words[CPL] === 3
  const { supervisorShadowStack } = cpu
  let sspLo = 0
  let sspHi = 0
  if (supervisorShadowStack) {
    const slot = PL0_SSP + 2 * ring
    sspLo = words[slot]!
    sspHi = words[slot + 1]!
    if ((sspLo & 7) !== 0 || !takeToken(cpu, sspLo, sspHi, 0)) throw gp(0)
    if (!fromRing3) {
      sspLo = pushShadowFrame(cpu, sspLo, sspHi, 0)
      sspHi = cpu.hi
    }
  }

  if (fromRing3 && cpu.userShadowStack) {
    words[PL3_SSP] = words[SSP]!
    words[PL3_SSP + 1] = words[SSP + 1]!
  }
  cpu.observer?.stackSwitch?.(cpu, topLo, topHi, RING_STACKS[ring]!)
  commitCode(cpu, target.selector, target.code, ring)
  loadNull(cpu, SS, ring)
  words[RSP] = rspLo
  words[RSP + 1] = rspHi
  words[RIP] = lo
  words[RIP + 1] = hi
  if (supervisorShadowStack) {
    words[SSP] = sspLo
    words[SSP + 1] = sspHi
  }
  demandEndbranch(cpu)
}

const RING_STACKS = ['RSP0', 'RSP1', 'RSP2'] as const

function pushBelow(cpu: Cpu, topLo: number, topHi: number, bytes: number, lo: number, hi: number): void {
  const at = (topLo - bytes) | 0
  const access = cpu.words[CPL] === 3 ? WRITE | IMPLICIT : WRITE
  store64(cpu, at, carried(topLo, topHi, at, -bytes), lo, hi, access)
}
