import { type Cpu, RAX, RDX, type Semantics } from '@trapframe/core'
import { RAX_NUMBER, RDX_NUMBER, writeGpr } from './gpr.js'

/** The sign of the accumulator's low `bytes` bytes: 0 or -1. */
function sign(cpu: Cpu, bytes: number): number {
  const { words } = cpu
  return bytes === 8 ? words[RAX + 1]! >> 31 : (words[RAX]! << (32 - bytes * 8)) >> 31
}

/** Sign extension of the accumulator, in itself or into the data register (SDM 2A CBW, CWD). No flag changes. */
export const convert: Readonly<Record<string, Semantics>> = {
  cbw: (cpu) => writeGpr(cpu, RAX_NUMBER, 2, (cpu.words[RAX]! << 24) >> 24, 0),
  cwde: (cpu) => writeGpr(cpu, RAX_NUMBER, 4, (cpu.words[RAX]! << 16) >> 16, 0),
  cdqe: (cpu) => writeGpr(cpu, RAX_NUMBER, 8, cpu.words[RAX]!, sign(cpu, 4)),
  cwd: (cpu) => writeGpr(cpu, RDX_NUMBER, 2, sign(cpu, 2), 0),
  cdq: (cpu) => writeGpr(cpu, RDX_NUMBER, 4, sign(cpu, 4), 0),
  cqo: (cpu) => {
    const value = sign(cpu, 8)
    cpu.words[RDX] = value
    cpu.words[RDX + 1] = value
  },
}
