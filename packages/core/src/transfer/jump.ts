import { demandEndbranch } from '../cet/endbranch.js'
import type { Cpu } from '../cpu/cpu.js'
import { gp } from '../event/fault.js'
import type { Decoded } from '../instruction/decoded.js'
import { accessOf, type Descriptor, isLong, markAccessed } from '../segment/descriptor.js'
import { checkTarget, commitCode } from '../segment/return.js'
import { CPL, RIP, SSP } from '../state/registers.js'
import { readFarPointer } from './far-pointer.js'
import { resolveFarTarget } from './far-target.js'

/** Far JMP, directly or through a call gate, always at the same privilege (SDM 2A JMP). @throws #GP, #NP, #SS, #PF, #AC */
export function jumpFar(cpu: Cpu, insn: Decoded): void {
  const { words } = cpu
  const target = resolveFarTarget(cpu, readFarPointer(cpu, insn), insn.operandSize, false)
  const lo = checkTarget(cpu, target.code, target.lo, target.hi)
  const { hi } = cpu
  checkLowShadowStack(cpu, target.code)
  markAccessed(cpu, target.code)
  commitCode(cpu, target.selector, target.code, words[CPL]!)
  words[RIP] = lo
  words[RIP + 1] = hi
  demandEndbranch(cpu)
}

/** Compatibility mode needs a shadow stack below 4 GiB. @throws #GP(0) */
export function checkLowShadowStack(cpu: Cpu, code: Descriptor): void {
  if (cpu.shadowStack && !isLong(accessOf(code)) && cpu.words[SSP + 1] !== 0) throw gp(0)
}
