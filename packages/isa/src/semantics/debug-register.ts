import {
  type Cpu,
  CR4,
  CR4_DE,
  type Decoded,
  DR,
  DR6_BD,
  DR6_FIXED,
  DR7,
  DR7_FIXED,
  DR7_GD,
  db,
  gp,
  readOperand,
  ud,
  writeRegister,
} from '@trapframe/core'
import { requireCpl0 } from './privilege.js'

/** What software can change in DR6: B3–B0, BD, BS, BT. */
const DR6_WRITABLE = 0xe00f
/** L0–G3, LE, GE, GD and the conditions and lengths. */
const DR7_WRITABLE = 0xffff23ff | 0

/**
 * First word of a debug register, after the checks that both directions make (SDM 2B MOV): DR4 and DR5 are DR6 and DR7,
 * or #UD with CR4.DE; CPL; DR7.GD, which is a #DB with BD. GD is cleared by the delivery of that #DB.
 */
function accessedSlot(cpu: Cpu, number: number): number {
  const alias = number === 4 || number === 5
  if (alias && (cpu.words[CR4]! & CR4_DE) !== 0) throw ud()
  requireCpl0(cpu)
  if ((cpu.words[DR7]! & DR7_GD) !== 0) throw db(DR6_BD)
  return DR + 2 * (alias ? number + 2 : number)
}

/** MOV from DRn. @throws #UD, #GP(0), #DB */
export function moveFromDebug(cpu: Cpu, insn: Decoded): void {
  const slot = accessedSlot(cpu, insn.operands[1]!.register)
  writeRegister(cpu, insn.operands[0]!, cpu.words[slot]!, cpu.words[slot + 1]!)
}

/** MOV to DRn: the upper halves of DR6 and DR7 must stay 0; DR0–DR3 take any address. @throws #UD, #GP(0), #DB */
export function moveToDebug(cpu: Cpu, insn: Decoded): void {
  const { words } = cpu
  const slot = accessedSlot(cpu, insn.operands[0]!.register)
  const lo = readOperand(cpu, insn, insn.operands[1]!)
  const hi = cpu.hi
  if (slot < DR + 8) {
    words[slot] = lo
    words[slot + 1] = hi
    return
  }
  if (hi !== 0) throw gp(0)
  if (slot === DR7) {
    words[DR7] = (lo & DR7_WRITABLE) | DR7_FIXED
    cpu.refresh()
  } else {
    words[slot] = (lo & DR6_WRITABLE) | DR6_FIXED
  }
}
