import type { Cpu } from '@trapframe/core'
import { USER_REGS, type UserRegister } from '../layout/user-regs.js'
import { type StructView, viewStruct } from '../registers/struct-view.js'

/** A cpu_user_regs in memory, read and written by Xen's C code with supervisor privilege. @throws #PF like any access */
export type UserRegs = StructView<UserRegister>

/** The cpu_user_regs at an address. */
export const userRegsAt = (cpu: Cpu, address: bigint): UserRegs => viewStruct<UserRegister>(cpu, address, USER_REGS)

/** Whether the registers are a guest's: Xen itself runs in ring 0. */
export const isGuest = (regs: UserRegs): boolean => (regs.get('cs') & 3n) !== 0n
