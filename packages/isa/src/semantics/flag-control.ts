import {
  AF,
  BLOCKED_BY_STI,
  CF,
  CPL,
  type Cpu,
  CR4,
  CR4_PVI,
  DF,
  gp,
  IF,
  PF,
  RAX,
  RFLAGS,
  RFLAGS_FIXED,
  type Semantics,
  SF,
  VIF,
  VIP,
  ZF,
} from '@trapframe/core'
import { setSomeFlags } from './flags.js'
import { hasIoPrivilege } from './privilege.js'

const LAHF_FLAGS = CF | PF | AF | ZF | SF

/** CPL 3 with CR4.PVI: CLI and STI act on VIF where they may not touch IF (SDM 3B 20.4). */
function hasVirtualInterruptFlag(cpu: Cpu): boolean {
  return cpu.words[CPL] === 3 && (cpu.words[CR4]! & CR4_PVI) !== 0
}

const clearInterruptFlag: Semantics = (cpu) => {
  if (hasIoPrivilege(cpu)) setSomeFlags(cpu, IF, 0)
  else if (hasVirtualInterruptFlag(cpu)) setSomeFlags(cpu, VIF, 0)
  else throw gp(0)
}

/** STI blocks maskable interrupts for one instruction, but only if it changes IF from 0 to 1 (SDM 3A 6.8.1). */
const setInterruptFlag: Semantics = (cpu) => {
  const rflags = cpu.words[RFLAGS]!
  if (hasIoPrivilege(cpu)) {
    if ((rflags & IF) === 0) cpu.shadow = BLOCKED_BY_STI
    setSomeFlags(cpu, IF, IF)
  } else if (hasVirtualInterruptFlag(cpu) && (rflags & VIP) === 0) {
    setSomeFlags(cpu, VIF, VIF)
  } else {
    throw gp(0)
  }
}

/** Flag control (SDM 1 7.3.13). */
export const flagControl: Readonly<Record<string, Semantics>> = {
  clc: (cpu) => setSomeFlags(cpu, CF, 0),
  stc: (cpu) => setSomeFlags(cpu, CF, CF),
  cmc: (cpu) => setSomeFlags(cpu, CF, ~cpu.words[RFLAGS]!),
  cld: (cpu) => setSomeFlags(cpu, DF, 0),
  std: (cpu) => setSomeFlags(cpu, DF, DF),
  lahf: (cpu) => {
    const ah = (cpu.words[RFLAGS]! & LAHF_FLAGS) | RFLAGS_FIXED
    cpu.words[RAX] = (cpu.words[RAX]! & ~0xff00) | (ah << 8)
  },
  sahf: (cpu) => setSomeFlags(cpu, LAHF_FLAGS, cpu.words[RAX]! >>> 8),
  cli: clearInterruptFlag,
  sti: setInterruptFlag,
}
