import {
  CPL,
  type Cpu,
  demandEndbranch,
  EFER,
  EFER_SCE,
  FMASK,
  loadFixedCode,
  loadFixedStack,
  PL3_SSP,
  R11,
  RCX,
  RF,
  RFLAGS,
  RFLAGS_FIXED,
  RIP,
  type Semantics,
  SSP,
  STAR,
  TF,
  ud,
} from '@trapframe/core'
import type { IdtSlots } from '../msrs.js'

/**
 * SYSCALL (SDM 2B; APM 3): RCX and R11 take RIP and RFLAGS, CS and SS come from IA32_STAR[47:32] with fixed attributes,
 * RIP from IA32_LSTAR, or IA32_CSTAR from compatibility mode where the vendor has that. RSP and GS stay the caller's: the
 * gap that the kernel has to close itself. Whether a single-step #DB follows is told by the new TF.
 *
 * @throws #UD without EFER.SCE, or from compatibility mode where it does not exist
 */
export const syscall =
  ({ lstar, cstar }: IdtSlots): Semantics =>
  (cpu) => {
    const { words } = cpu
    const from64 = cpu.codeSize === 64
    if ((words[EFER]! & EFER_SCE) === 0 || !(from64 || cpu.model.behaviour.syscallFromCompatibilityMode)) throw ud()
    words[RCX] = words[RIP]!
    words[RCX + 1] = from64 ? words[RIP + 1]! : 0
    words[R11] = words[RFLAGS]! & ~RF
    words[R11 + 1] = 0
    words[RFLAGS] = (words[RFLAGS]! & ~words[FMASK]! & ~RF) | RFLAGS_FIXED
    cpu.singleStep = (words[RFLAGS]! & TF) !== 0
    const target = from64 ? lstar : cstar
    words[RIP] = words[target]!
    words[RIP + 1] = words[target + 1]!
    const star = words[STAR + 1]! & 0xffff
    enterRing0(cpu, star & 0xfffc, (star + 8) & 0xffff)
  }

/**
 * What SYSCALL and SYSENTER have in common: fixed flat segments of ring 0, the user SSP put away in IA32_PL3_SSP, no
 * shadow stack until SETSSBSY takes one, and the ENDBRANCH that must follow (SDM 1 17.2.4, 17.3.4).
 */
export function enterRing0(cpu: Cpu, codeSelector: number, stackSelector: number): void {
  const { words } = cpu
  if (cpu.shadowStack) {
    words[PL3_SSP] = words[SSP]!
    words[PL3_SSP + 1] = words[SSP + 1]!
  }
  loadFixedCode(cpu, codeSelector, 0, 64)
  loadFixedStack(cpu, stackSelector, 0)
  if (words[CPL] !== 0) cpu.setCpl(0)
  if (cpu.supervisorShadowStack) {
    words[SSP] = 0
    words[SSP + 1] = 0
  }
  demandEndbranch(cpu)
}
