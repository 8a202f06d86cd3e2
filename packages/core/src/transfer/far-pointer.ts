import type { Cpu } from '../cpu/cpu.js'
import { type Decoded, OPERAND_FAR } from '../instruction/decoded.js'
import { effectiveAddress, loadWidth } from '../instruction/operand.js'
import { READ } from '../memory/access.js'
import { carried } from '../memory/carry.js'
import { load16 } from '../memory/linear.js'
import { linearAddress } from '../memory/segmented.js'

/** Where a far CALL or JMP goes: a selector and an offset, zero-extended from the operand. */
export interface FarPointer {
  readonly selector: number
  readonly lo: number
  readonly hi: number
}

/**
 * The operand of a far CALL or JMP: an immediate pointer (compatibility mode), or one in memory, whose offset comes first
 * and whose selector follows. @throws #GP(0), #SS(0), #PF, #AC
 */
export function readFarPointer(cpu: Cpu, insn: Decoded): FarPointer {
  const op = insn.operands[0]!
  if (op.kind === OPERAND_FAR) {
    return { selector: op.selector & 0xffff, lo: insn.operandSize === 2 ? op.lo & 0xffff : op.lo, hi: 0 }
  }
  const offsetBytes = op.size - 2
  const effectiveLo = effectiveAddress(cpu, insn, op)
  const effectiveHi = cpu.hi
  let at = linearAddress(cpu, op.segment, effectiveLo, effectiveHi, offsetBytes, false)
  const lo = loadWidth(cpu, at, cpu.hi, offsetBytes, READ | cpu.user)
  const hi = cpu.hi
  const selectorLo = (effectiveLo + offsetBytes) | 0
  const selectorHi = carried(effectiveLo, effectiveHi, selectorLo, offsetBytes)
  at = linearAddress(cpu, op.segment, selectorLo, selectorHi, 2, false)
  return { selector: load16(cpu, at, cpu.hi, READ | cpu.user), lo, hi }
}
