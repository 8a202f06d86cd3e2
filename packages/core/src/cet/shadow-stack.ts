import type { Cpu } from '../cpu/cpu.js'
import { SHADOW_STACK, WRITE } from '../memory/access.js'
import { load32, load64, store32, store64 } from '../memory/linear.js'

/**
 * Loads and stores on shadow stacks (SDM 1 17.2): they need shadow-stack pages of their own privilege, and their #PF
 * has bit 6 of the error code set. Addresses are linear, in halves; nothing here moves SSP.
 */

/** 64 bits from a shadow stack: low half, high half in `cpu.hi`. `user` is `cpu.user`, or 0 for a supervisor access. @throws #PF */
export function loadShadow64(cpu: Cpu, lo: number, hi: number, user: number): number {
  return load64(cpu, lo, hi, SHADOW_STACK | user)
}

/** 32 bits from a shadow stack. @throws #PF */
export function loadShadow32(cpu: Cpu, lo: number, hi: number, user: number): number {
  return load32(cpu, lo, hi, SHADOW_STACK | user)
}

/** 64 bits to a shadow stack. @throws #PF */
export function storeShadow64(cpu: Cpu, lo: number, hi: number, valueLo: number, valueHi: number, user: number): void {
  store64(cpu, lo, hi, valueLo, valueHi, WRITE | SHADOW_STACK | user)
}

/** 32 bits to a shadow stack. @throws #PF */
export function storeShadow32(cpu: Cpu, lo: number, hi: number, value: number, user: number): void {
  store32(cpu, lo, hi, value, WRITE | SHADOW_STACK | user)
}
