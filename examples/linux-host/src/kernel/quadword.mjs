/** @import { Cpu } from '@trapframe/core' */
import { load64, READ, store64, USER, WRITE } from '@trapframe/core'

/**
 * 64 bits at a linear address, as C code of the kernel reads them: with supervisor privilege.
 *
 * @param {Cpu} cpu
 * @param {bigint} address
 * @param {number} [access]
 * @returns {bigint}
 * @throws #PF like any access
 */
export function loadQuad(cpu, address, access = READ) {
  const [lo, hi] = halves(address)
  const low = load64(cpu, lo, hi, access)
  return (BigInt(cpu.hi >>> 0) << 32n) | BigInt(low >>> 0)
}

/** The same with the user's privilege: what the user itself could read. @param {Cpu} cpu @param {bigint} address */
export const loadUserQuad = (cpu, address) => loadQuad(cpu, address, READ | USER)

/** @param {Cpu} cpu @param {bigint} address @param {bigint} value @throws #PF like any access */
export function storeQuad(cpu, address, value) {
  const [lo, hi] = halves(address)
  const [valueLo, valueHi] = halves(value)
  store64(cpu, lo, hi, valueLo, valueHi, WRITE)
}

/** A 64-bit value in signed halves. @param {bigint} value @returns {readonly [lo: number, hi: number]} */
function halves(value) {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))]
}
