import {
  CPL,
  type Cpu,
  type Decoded,
  EFER,
  EFER_SCE,
  gp,
  IF,
  isCanonical,
  loadFixedCode,
  loadFixedStack,
  PL3_SSP,
  R11,
  RCX,
  RF,
  RFLAGS,
  RFLAGS_FIXED,
  RFLAGS_MASK,
  RIP,
  SSP,
  STAR,
  ud,
  VM,
} from '@trapframe/core'

/**
 * SYSRET (SDM 2B; APM 3): back to ring 3 at RCX with RFLAGS from R11, to 64-bit mode (operand size 8) or compatibility
 * mode. RSP is what software loaded, so the #GP(0) that some vendors raise here for a non-canonical RCX is taken in ring 0
 * on the user's stack (CVE-2012-0217). A TF that it loads traps after the first instruction at the target, as POPF's does.
 *
 * @throws #UD without EFER.SCE, or in compatibility mode where it does not exist; #GP(0) at CPL > 0 or for RCX
 */
export function sysret(cpu: Cpu, insn: Decoded): void {
  const { words } = cpu
  const { behaviour } = cpu.model
  const from64 = cpu.codeSize === 64
  if ((words[EFER]! & EFER_SCE) === 0 || !(from64 || behaviour.syscallFromCompatibilityMode)) throw ud()
  if (words[CPL] !== 0) throw gp(0)
  const toLong = insn.operandSize === 8
  const checksRip = toLong && behaviour.sysretNonCanonical === 'faults-before'
  if (checksRip && !isCanonical(cpu, words[RCX + 1]!)) throw gp(0)
  checkUserShadowStack(cpu, toLong)

  words[RIP] = words[RCX]!
  words[RIP + 1] = toLong ? words[RCX + 1]! : 0
  words[RFLAGS] = from64 ? (words[R11]! & RFLAGS_MASK & ~(RF | VM)) | RFLAGS_FIXED : words[RFLAGS]! | IF
  const star = words[STAR + 1]! >>> 16
  loadFixedCode(cpu, ((toLong ? star + 16 : star) & 0xffff) | 3, 3, toLong ? 64 : 32)
  loadFixedStack(cpu, ((star + 8) & 0xffff) | (behaviour.sysretForcesSsRpl ? 3 : 0), 3)
  enterRing3(cpu)
  cpu.observer?.returned?.(cpu, insn.mnemonic)
}

/** A shadow stack of compatibility mode lies below 4 GiB. @throws #GP(0) */
export function checkUserShadowStack(cpu: Cpu, toLong: boolean): void {
  if (!toLong && cpu.userShadowStack && cpu.words[PL3_SSP + 1] !== 0) throw gp(0)
}

/** What SYSRET and SYSEXIT have in common: CPL 3, and the user SSP that the entry put away. */
export function enterRing3(cpu: Cpu): void {
  const { words } = cpu
  cpu.setCpl(3)
  if (cpu.userShadowStack) {
    words[SSP] = words[PL3_SSP]!
    words[SSP + 1] = words[PL3_SSP + 1]!
  }
}
