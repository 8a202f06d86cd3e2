import { CET_ENDBR_EN, CET_SH_STK_EN, CET_WR_SHSTK_EN, type Cpu, writeMsr } from '@trapframe/core'
import { IA32_INTERRUPT_SSP_TABLE_ADDR } from '@trapframe/idt'
import { stackOf, tssPage } from '../layout/memory.js'
import { INTERRUPT_STACKS, istShadowEnd, primaryShadowEnd, tokenOf } from '../layout/stack.js'
import { ISST_OFFSET } from './tables.js'

export const IA32_S_CET = 0x6a2
export const IA32_PL0_SSP = 0x6a4
/** Bit 0 of a token: somebody runs on this shadow stack. */
export const TOKEN_BUSY = 1n

/** Supervisor shadow stacks need a token each under the IDT; the primary one's is busy while Xen runs on it. */
export function setUpTokens(cpu: Cpu): void {
  const stack = stackOf(cpu.id).linear
  const primary = tokenOf(primaryShadowEnd(stack))
  writeMsr(cpu, IA32_PL0_SSP, primary)
  writeMsr(cpu, IA32_INTERRUPT_SSP_TABLE_ADDR, tssPage(cpu.id).linear + BigInt(ISST_OFFSET))
  for (const { index } of INTERRUPT_STACKS) writeToken(cpu, tokenOf(istShadowEnd(stack, index)), false)
  writeToken(cpu, primary, false)
}

/** A token is its own address. */
export function writeToken(cpu: Cpu, address: bigint, busy: boolean): void {
  cpu.space.write64(address, address | (busy ? TOKEN_BUSY : 0n))
}

/** IA32_S_CET as Xen has it; WRSS is for fixing a shadow stack up with its stack. */
export function enableCet(cpu: Cpu, shadowStacks: boolean, ibt: boolean): void {
  const value = (shadowStacks ? CET_SH_STK_EN | CET_WR_SHSTK_EN : 0) | (ibt ? CET_ENDBR_EN : 0)
  if (value !== 0) writeMsr(cpu, IA32_S_CET, BigInt(value))
}
