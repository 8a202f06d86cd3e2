import type { Cpu } from '../cpu/cpu.js'
import type { Decoded } from '../instruction/decoded.js'
import { adjustStackPointer, peek } from '../memory/stack.js'
import { accessOf, isLong } from '../segment/descriptor.js'
import { checkReturnCode, checkReturnStack } from '../segment/return.js'
import { CPL } from '../state/registers.js'
import { completeReturn, loadPoppedStackPointer } from './return.js'

/**
 * Far RET, with or without an immediate of bytes to release (SDM 2B RET): pops RIP and CS, and on the way to an outer
 * ring RSP and SS from above the parameters. @throws #GP, #NP, #SS, #PF, #AC, #CP(far-ret/iret)
 */
export function returnFar(cpu: Cpu, insn: Decoded): void {
  const bytes = insn.operandSize
  const released = insn.operands.length > 0 ? insn.operands[0]!.lo & 0xffff : 0
  const selector = peek(cpu, bytes, bytes) & 0xffff
  const ripLo = peek(cpu, 0, bytes)
  const ripHi = cpu.hi
  const code = checkReturnCode(cpu, selector, cpu.mechanism?.transferPolicy)
  const cpl = selector & 3
  if (cpl === cpu.words[CPL]) {
    completeReturn(cpu, selector, code, ripLo, ripHi, 0, undefined)
    adjustStackPointer(cpu, 2 * bytes + released)
    return
  }
  const stackSelector = peek(cpu, 3 * bytes + released, bytes) & 0xffff
  const rspLo = peek(cpu, 2 * bytes + released, bytes)
  const rspHi = cpu.hi
  const stack = checkReturnStack(cpu, stackSelector, cpl, isLong(accessOf(code)))
  completeReturn(cpu, selector, code, ripLo, ripHi, stackSelector, stack)
  loadPoppedStackPointer(cpu, rspLo, rspHi)
  adjustStackPointer(cpu, released)
}
