import type { UserRegister, UserRegs } from '@trapframe/xen'

/** General registers of the guest by their encoding. */
const NAMES: readonly UserRegister[] = [
  ...(['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const),
  ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const),
]

export const RAX = 0
export const RCX = 1
export const RDX = 2
export const RSI = 6
export const RDI = 7

/** The low `bytes` bytes of a register, unsigned. */
export const readGuestGpr = (regs: UserRegs, n: number, bytes: number): bigint =>
  BigInt.asUintN(8 * bytes, regs.get(NAMES[n]!))

/** Writes a register as instructions do: 4 bytes clear the upper half, 1 and 2 leave the rest. */
export function writeGuestGpr(regs: UserRegs, n: number, bytes: number, value: bigint): void {
  const name = NAMES[n]!
  const low = BigInt.asUintN(8 * bytes, value)
  regs.set(name, bytes >= 4 ? low : (regs.get(name) & ~((1n << BigInt(8 * bytes)) - 1n)) | low)
}

/** EDX:EAX, the way in which instructions with 64-bit values have named registers since before 64-bit mode. */
export const readEdxEax = (regs: UserRegs): bigint => (readGuestGpr(regs, RDX, 4) << 32n) | readGuestGpr(regs, RAX, 4)

export function writeEdxEax(regs: UserRegs, value: bigint): void {
  writeGuestGpr(regs, RAX, 4, value)
  writeGuestGpr(regs, RDX, 4, value >> 32n)
}
