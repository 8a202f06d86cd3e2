import type { Cpu } from '@trapframe/core'

/** Two signed halves as an unsigned 64-bit value. */
export function quad(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
}

/** A 64-bit value as halves: the low one is returned, the high one goes to `cpu.hi`. */
export function halves(cpu: Cpu, value: bigint): number {
  cpu.hi = Number(BigInt.asIntN(32, value >> 32n))
  return Number(BigInt.asIntN(32, value))
}
