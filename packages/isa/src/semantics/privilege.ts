import { CPL, type Cpu, gp, IOPL, RFLAGS } from '@trapframe/core'

/** Privileged instructions: @throws #GP(0) unless CPL is 0 */
export function requireCpl0(cpu: Cpu): void {
  if (cpu.words[CPL] !== 0) throw gp(0)
}

/** Whether CPL ≤ IOPL. */
export function hasIoPrivilege(cpu: Cpu): boolean {
  return cpu.words[CPL]! <= (cpu.words[RFLAGS]! & IOPL) >>> 12
}
