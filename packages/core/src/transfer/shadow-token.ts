import { storeShadow64 } from '../cet/shadow-stack.js'
import type { Cpu } from '../cpu/cpu.js'
import { SHADOW_STACK, WRITE } from '../memory/access.js'
import { load64 } from '../memory/linear.js'

/**
 * The token at the base of a supervisor shadow stack (SDM 1 17.2.3): its own address, with bit 0 set while a CPU uses the
 * stack. Taking and freeing one is a locked read-modify-write, so that its #PF always reports a write.
 */

/** Bit 0 of a token: the shadow stack is in use. */
export const TOKEN_BUSY = 1

/**
 * Whether the token at `hi:lo` was free; it is busy now. Otherwise it stays as it is. `user` is the privilege of the access,
 * 0 or USER. @throws #PF
 */
export function takeToken(cpu: Cpu, lo: number, hi: number, user: number): boolean {
  return exchange(cpu, lo, hi, lo, lo | TOKEN_BUSY, user)
}

/** Whether the token at `hi:lo` was busy; it is free now. Otherwise it stays as it is. @throws #PF */
export function freeToken(cpu: Cpu, lo: number, hi: number, user: number): boolean {
  return exchange(cpu, lo, hi, lo | TOKEN_BUSY, lo, user)
}

/** Compares the token with `hi:expected` and makes it `hi:next` if it is equal. */
function exchange(cpu: Cpu, lo: number, hi: number, expected: number, next: number, user: number): boolean {
  const found = load64(cpu, lo, hi, WRITE | SHADOW_STACK | user)
  if (found !== expected || cpu.hi !== hi) return false
  storeShadow64(cpu, lo, hi, next, hi, user)
  return true
}
