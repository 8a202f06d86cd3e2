import { type Cpu, load32, load64, READ, store32, store64, WRITE } from '@trapframe/core'
import { type UserRegister, userRegsOffset, userRegsWidth } from '../layout/user-regs.js'

/** A cpu_user_regs in memory, read and written by Xen's C code with supervisor privilege. @throws #PF like any access */
export interface UserRegs {
  /** Linear address of its first byte. */
  readonly address: bigint
  get(name: UserRegister): bigint
  set(name: UserRegister, value: bigint): void
}

/** The cpu_user_regs at an address. */
export function userRegsAt(cpu: Cpu, address: bigint): UserRegs {
  const place = (name: UserRegister): readonly [lo: number, hi: number] =>
    halves(address + BigInt(userRegsOffset(name)))
  return {
    address,
    get(name) {
      const [lo, hi] = place(name)
      if (userRegsWidth(name) === 4) return BigInt(load32(cpu, lo, hi, READ) >>> 0)
      const low = load64(cpu, lo, hi, READ)
      return joined(low, cpu.hi)
    },
    set(name, value) {
      const [lo, hi] = place(name)
      const [valueLo, valueHi] = halves(value)
      if (userRegsWidth(name) === 4) store32(cpu, lo, hi, valueLo, WRITE)
      else store64(cpu, lo, hi, valueLo, valueHi, WRITE)
    },
  }
}

/** Whether the registers are a guest's: Xen itself runs in ring 0. */
export const isGuest = (regs: UserRegs): boolean => (regs.get('cs') & 3n) !== 0n

/** A 64-bit value in signed halves. */
export function halves(value: bigint): readonly [lo: number, hi: number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))]
}

const joined = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
