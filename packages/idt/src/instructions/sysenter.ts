import {
  CPL,
  gp,
  IF,
  isCanonical,
  isNull,
  loadFixedCode,
  loadFixedStack,
  RCX,
  RDX,
  RF,
  RFLAGS,
  RIP,
  RSP,
  type Semantics,
  ud,
  VM,
} from '@trapframe/core'
import type { IdtSlots } from '../msrs.js'
import { enterRing0 } from './syscall.js'
import { checkUserShadowStack, enterRing3 } from './sysret.js'

/**
 * SYSENTER (SDM 2B): to ring 0 with RIP, RSP and the segments from MSRs. Nothing of the caller is saved, and TF, NT and AC
 * stay as they are. @throws #UD where long mode has it not; #GP(0) for a null IA32_SYSENTER_CS
 */
export const sysenter =
  ({ sysenterCs, sysenterEsp, sysenterEip }: IdtSlots): Semantics =>
  (cpu) => {
    const { words } = cpu
    if (!cpu.model.behaviour.sysenterInLongMode) throw ud()
    const selector = words[sysenterCs]! & 0xffff
    if (isNull(selector)) throw gp(0)
    words[RFLAGS] = words[RFLAGS]! & ~(IF | RF | VM)
    words[RSP] = words[sysenterEsp]!
    words[RSP + 1] = words[sysenterEsp + 1]!
    words[RIP] = words[sysenterEip]!
    words[RIP + 1] = words[sysenterEip + 1]!
    enterRing0(cpu, selector & 0xfffc, ((selector & 0xfffc) + 8) & 0xffff)
  }

/**
 * SYSEXIT (SDM 2B): to ring 3 at RDX with RSP from RCX, to compatibility mode or, with REX.W, to 64-bit mode.
 *
 * @throws #UD where long mode has it not; #GP(0) for a null IA32_SYSENTER_CS, at CPL > 0, or for a non-canonical target
 */
export const sysexit =
  ({ sysenterCs }: IdtSlots): Semantics =>
  (cpu, insn) => {
    const { words } = cpu
    if (!cpu.model.behaviour.sysenterInLongMode) throw ud()
    const selector = words[sysenterCs]! & 0xffff
    if (isNull(selector) || words[CPL] !== 0) throw gp(0)
    const toLong = insn.operandSize === 8
    if (toLong && !(isCanonical(cpu, words[RCX + 1]!) && isCanonical(cpu, words[RDX + 1]!))) throw gp(0)
    checkUserShadowStack(cpu, toLong)

    words[RSP] = words[RCX]!
    words[RSP + 1] = toLong ? words[RCX + 1]! : 0
    words[RIP] = words[RDX]!
    words[RIP + 1] = toLong ? words[RDX + 1]! : 0
    const base = selector + (toLong ? 32 : 16)
    loadFixedCode(cpu, (base & 0xffff) | 3, 3, toLong ? 64 : 32)
    loadFixedStack(cpu, ((base + 8) & 0xffff) | 3, 3)
    enterRing3(cpu)
    cpu.observer?.returned?.(cpu, insn.mnemonic)
  }
