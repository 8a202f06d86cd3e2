import {
  type Cpu,
  CR4,
  CR4_FSGSBASE,
  FS_BASE,
  GS_BASE,
  gp,
  isCanonicalForMsr,
  readRegister,
  type Semantics,
  ud,
  writeRegister,
} from '@trapframe/core'
import { quad } from './quad.js'

/** 64-bit mode with CR4.FSGSBASE. @throws #UD */
function requireEnabled(cpu: Cpu): void {
  if (cpu.codeSize !== 64 || (cpu.words[CR4]! & CR4_FSGSBASE) === 0) throw ud()
}

function readBase(slot: number): Semantics {
  return (cpu, insn) => {
    requireEnabled(cpu)
    writeRegister(cpu, insn.operands[0]!, cpu.words[slot]!, cpu.words[slot + 1]!)
  }
}

/** A 32-bit source is zero-extended. @throws #GP(0) for an address that is not canonical */
function writeBase(slot: number): Semantics {
  return (cpu, insn) => {
    requireEnabled(cpu)
    const lo = readRegister(cpu, insn.operands[0]!)
    const hi = cpu.hi
    if (!isCanonicalForMsr(quad(lo, hi), cpu)) throw gp(0)
    cpu.words[slot] = lo
    cpu.words[slot + 1] = hi
  }
}

/** FS.base and GS.base at any privilege (SDM 2B RDFSBASE, 2D WRFSBASE). */
export const segmentBases: Readonly<Record<string, Semantics>> = {
  rdfsbase: readBase(FS_BASE),
  rdgsbase: readBase(GS_BASE),
  wrfsbase: writeBase(FS_BASE),
  wrgsbase: writeBase(GS_BASE),
}
