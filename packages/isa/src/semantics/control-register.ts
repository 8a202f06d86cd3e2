import {
  type Cpu,
  CR0,
  CR0_TS,
  CR2,
  CR3,
  CR4,
  CR8,
  type Decoded,
  readOperand,
  type Semantics,
  writeCr0,
  writeCr3,
  writeCr4,
  writeCr8,
  writeOperand,
  writeRegister,
} from '@trapframe/core'
import { requireUserModeAccess } from './descriptor-table.js'
import { requireCpl0 } from './privilege.js'

/** First words of the control registers that exist, by number; the decoder refuses the others. */
const SLOTS: Readonly<Record<number, number>> = { 0: CR0, 2: CR2, 3: CR3, 4: CR4, 8: CR8 }

/** The bits of CR0 that LMSW loads: PE, MP, EM, TS. It can set PE, not clear it. */
const LMSW_BITS = 0xf
const LMSW_CLEARS = 0xe

/** MOV from CRn. @throws #GP(0) unless CPL is 0 */
export function moveFromControl(cpu: Cpu, insn: Decoded): void {
  requireCpl0(cpu)
  const slot = SLOTS[insn.operands[1]!.register]!
  writeRegister(cpu, insn.operands[0]!, cpu.words[slot]!, cpu.words[slot + 1]!)
}

/** MOV to CRn. @throws #GP(0) unless CPL is 0, and for values that the register refuses */
export function moveToControl(cpu: Cpu, insn: Decoded): void {
  requireCpl0(cpu)
  const lo = readOperand(cpu, insn, insn.operands[1]!)
  const hi = cpu.hi
  switch (insn.operands[0]!.register) {
    case 0:
      return writeCr0(cpu, lo, hi)
    case 3:
      return writeCr3(cpu, lo, hi)
    case 4:
      return writeCr4(cpu, lo, hi)
    case 8:
      return writeCr8(cpu, lo, hi)
    default:
      cpu.words[CR2] = lo
      cpu.words[CR2 + 1] = hi
  }
}

const loadMachineStatus: Semantics = (cpu, insn) => {
  requireCpl0(cpu)
  const value = readOperand(cpu, insn, insn.operands[0]!)
  const cr0 = cpu.words[CR0]!
  writeCr0(cpu, (cr0 & ~LMSW_CLEARS) | (value & LMSW_BITS), 0)
}

/** SMSW stores CR0 in a register's whole width, in memory 16 bits. Not privileged, unless CR4.UMIP. */
const storeMachineStatus: Semantics = (cpu, insn) => {
  requireUserModeAccess(cpu)
  writeOperand(cpu, insn, insn.operands[0]!, cpu.words[CR0]!, 0)
}

const clearTaskSwitched: Semantics = (cpu) => {
  requireCpl0(cpu)
  cpu.words[CR0] = cpu.words[CR0]! & ~CR0_TS
}

/** What changes CR0 beside MOV. */
export const machineStatus: Readonly<Record<string, Semantics>> = {
  lmsw: loadMachineStatus,
  smsw: storeMachineStatus,
  clts: clearTaskSwitched,
}
