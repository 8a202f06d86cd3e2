import type { Cpu } from '../cpu/cpu.js'
import { gp } from '../event/fault.js'
import type { Decoded } from '../instruction/decoded.js'
import { readablePage } from '../memory/linear.js'
import { PAGE_SIZE } from '../memory/physical.js'
import { isCanonical } from '../memory/segmented.js'
import { adjustStackPointer, peek } from '../memory/stack.js'
import { accessOf, isLong } from '../segment/descriptor.js'
import { checkReturnCode, checkReturnStack } from '../segment/return.js'
import { CPL, RFLAGS, RSP, STATUS } from '../state/registers.js'
import { AC, ARITHMETIC_FLAGS, DF, ID, IF, IOPL, NT, RF, TF, VIF, VIP } from '../state/rflags.js'
import { BLOCKED_BY_NMI } from '../state/status.js'
import { completeReturn, loadPoppedStackPointer } from './return.js'

/**
 * IRET, IRETD and IRETQ in long mode (SDM 2A IRET): pops RIP, CS and RFLAGS, and also RSP and SS when it goes to an outer
 * ring or was executed in 64-bit mode. NMIs unblock at any privilege, and even when it faults: VMX names that case, NMI
 * unblocking due to IRET (SDM 3C 28.2.3).
 *
 * @throws #GP(0) for NT = 1; #GP, #NP, #SS, #PF, #AC, #CP(far-ret/iret)
 */
export function interruptReturn(cpu: Cpu, insn: Decoded): void {
  const { words } = cpu
  words[STATUS] = words[STATUS]! & ~BLOCKED_BY_NMI
  if ((words[RFLAGS]! & NT) !== 0) throw gp(0)
  const bytes = insn.operandSize
  const view = bytes === 8 ? frameView(cpu) : null
  const offset = words[RSP]! & 0xfff
  const flags = view === null ? peek(cpu, 2 * bytes, bytes) : view.getInt32(offset + 16, true)
  const selector = view === null ? peek(cpu, bytes, bytes) & 0xffff : view.getUint16(offset + 8, true)
  const ripLo = view === null ? peek(cpu, 0, bytes) : view.getInt32(offset, true)
  const ripHi = view === null ? cpu.hi : view.getInt32(offset + 4, true)
  const code = checkReturnCode(cpu, selector, cpu.mechanism?.transferPolicy)
  const oldCpl = words[CPL]!
  const cpl = selector & 3
  if (cpl === oldCpl && cpu.codeSize !== 64) {
    completeReturn(cpu, selector, code, ripLo, ripHi, 0, undefined)
    adjustStackPointer(cpu, 3 * bytes)
  } else {
    const stackSelector = view === null ? peek(cpu, 4 * bytes, bytes) & 0xffff : view.getUint16(offset + 32, true)
    const rspLo = view === null ? peek(cpu, 3 * bytes, bytes) : view.getInt32(offset + 24, true)
    const rspHi = view === null ? cpu.hi : view.getInt32(offset + 28, true)
    const stack = checkReturnStack(cpu, stackSelector, cpl, isLong(accessOf(code)))
    completeReturn(cpu, selector, code, ripLo, ripHi, stackSelector, stack)
    loadPoppedStackPointer(cpu, rspLo, rspHi)
  }
  loadPoppedFlags(cpu, flags, bytes, oldCpl)
  cpu.observer?.returned?.(cpu, insn.mnemonic)
}

/**
 * The page of a 64-bit frame at RSP after one check, when the frame lies within it and neither alignment checks nor
 * somebody who watches want to see each quadword; null otherwise. @throws #PF
 */
function frameView(cpu: Cpu): DataView | null {
  const { words } = cpu
  const lo = words[RSP]!
  const hi = words[RSP + 1]!
  if ((lo & 0xfff) > PAGE_SIZE - 40 || cpu.watching !== 0 || cpu.codeSize !== 64) return null
  if (!isCanonical(cpu, hi) || (cpu.alignmentChecked && (lo & 7) !== 0)) return null
  return readablePage(cpu, (lo + 16) | 0, hi, cpu.user)
}

/** IF changes only at CPL ≤ IOPL; IOPL, VIF and VIP only at CPL 0; VM never; a 16-bit image leaves bits 31:16 alone. */
function loadPoppedFlags(cpu: Cpu, image: number, bytes: number, oldCpl: number): void {
  const { words } = cpu
  const rflags = words[RFLAGS]!
  let changed = ARITHMETIC_FLAGS | TF | DF | NT | RF | ID | AC
  if (oldCpl <= (rflags & IOPL) >>> 12) changed |= IF
  if (oldCpl === 0) changed |= IOPL | VIF | VIP
  if (bytes === 2) changed &= 0xffff
  words[RFLAGS] = (rflags & ~changed) | (image & changed)
}
