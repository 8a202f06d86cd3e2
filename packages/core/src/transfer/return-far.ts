import type { Cpu } from '../cpu/cpu.js'
import { CP_FAR_RET, cp, gp } from '../event/fault.js'
import type { Decoded } from '../instruction/decoded.js'
import { adjustStackPointer, peek } from '../memory/stack.js'
import { accessOf, indexOf, isLong, markAccessed, rplOf } from '../segment/descriptor.js'
import {
  checkReturnCode,
  checkReturnStack,
  checkTarget,
  commitCode,
  commitStack,
  dropInnerSegments,
} from '../segment/return.js'
import { CPL, RIP } from '../state/registers.js'
import { checkRing0Mode } from './far-target.js'
import { loadStackPointer } from './outer-stack.js'
import { checkReturnShadow, commitReturnShadow } from './return-shadow.js'

/**
 * Far RET, with or without an immediate of bytes to release (SDM 2B RET): pops RIP and CS, and on the way to an outer
 * ring RSP and SS from above the parameters. @throws #GP, #NP, #SS, #PF, #AC, #CP(far-ret/iret)
 */
export function returnFar(cpu: Cpu, insn: Decoded): void {
  const { words } = cpu
  const bytes = insn.operandSize
  const released = insn.operands.length > 0 ? insn.operands[0]!.lo & 0xffff : 0
  const selector = peek(cpu, bytes, bytes) & 0xffff
  const ripLo = peek(cpu, 0, bytes)
  const ripHi = cpu.hi

  const code = checkReturnCode(cpu, selector)
  const oldCpl = words[CPL]!
  const cpl = rplOf(selector)
  const outward = cpl > oldCpl
  if (outward && cpu.mechanism?.transferPolicy.returnToOuterRing === false) throw gp(indexOf(selector))
  checkRing0Mode(cpu, code, cpl)
  const toLong = isLong(accessOf(code))

  if (!outward) {
    const lo = checkTarget(cpu, code, ripLo, ripHi)
    const { hi } = cpu
    const shadow = checkReturnShadow(cpu, selector, code, lo, hi, cpl)
    markAccessed(cpu, code)
    commitCode(cpu, selector, code, cpl)
    words[RIP] = lo
    words[RIP + 1] = hi
    adjustStackPointer(cpu, 2 * bytes + released)
    commitReturnShadow(cpu, shadow)
    return
  }

  const stackSelector = peek(cpu, 3 * bytes + released, bytes) & 0xffff
  const rspLo = peek(cpu, 2 * bytes + released, bytes)
  const rspHi = cpu.hi
  const stack = checkReturnStack(cpu, stackSelector, cpl, toLong)
  const lo = checkTarget(cpu, code, ripLo, ripHi)
  const { hi } = cpu
  const shadow = checkReturnShadow(cpu, selector, code, lo, hi, cpl)
  markAccessed(cpu, code)
  if (stack !== null) markAccessed(cpu, stack)
  commitCode(cpu, selector, code, cpl)
  commitStack(cpu, stackSelector, stack)
  words[RIP] = lo
  words[RIP + 1] = hi
  loadStackPointer(cpu, rspLo, rspHi)
  adjustStackPointer(cpu, released)
  dropInnerSegments(cpu)
  commitReturnShadow(cpu, shadow)
}
