import { CET_ENDBR_EN, CET_SH_STK_EN, CET_WR_SHSTK_EN, type Cpu } from '@trapframe/core'
import { stackOf } from '../layout/memory.js'
import { INTERRUPT_STACKS, istShadowEnd, primaryShadowEnd, tokenOf } from '../layout/stack.js'

export const IA32_S_CET = 0x6a2
export const IA32_PL0_SSP = 0x6a4
/** Bit 0 of a token: somebody runs on this shadow stack. */
export const TOKEN_BUSY = 1n
/** Bit 0 of a restore token: it was made in 64-bit mode. */
export const RESTORE_TOKEN_64_BIT = 1

/** IA32_S_CET with indirect branch tracking. */
export const S_CET_IBT = CET_ENDBR_EN
/** What shadow stacks add to it; WRSS is for fixing a shadow stack up with its stack. */
export const S_CET_SHADOW_STACKS = CET_SH_STK_EN | CET_WR_SHSTK_EN

/** Supervisor shadow stacks need a free token each under the IDT; FRED has none (A6). */
export function writeTokens(cpu: Cpu): void {
  const stack = stackOf(cpu.id).linear
  for (const { index } of INTERRUPT_STACKS) writeToken(cpu, tokenOf(istShadowEnd(stack, index)), false)
  writeToken(cpu, tokenOf(primaryShadowEnd(stack)), false)
}

/** A token is its own address. */
export function writeToken(cpu: Cpu, address: bigint, busy: boolean): void {
  cpu.space.write64(address, address | (busy ? TOKEN_BUSY : 0n))
}
