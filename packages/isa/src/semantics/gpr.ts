import { type Cpu, carried, NO_REGISTER, OPERAND_GPR, type Operand, readRegister, writeRegister } from '@trapframe/core'

export const RAX_NUMBER = 0
export const RCX_NUMBER = 1
export const RDX_NUMBER = 2
export const RSP_NUMBER = 4
export const RBP_NUMBER = 5
export const RSI_NUMBER = 6
export const RDI_NUMBER = 7

const REGISTERS = 16
const operands: readonly Operand[] = [1, 2, 4, 8].flatMap((size) =>
  Array.from({ length: REGISTERS }, (_, register) => ({
    kind: OPERAND_GPR,
    size,
    register,
    high: false,
    segment: NO_REGISTER,
    base: NO_REGISTER,
    index: NO_REGISTER,
    scale: 1,
    lo: 0,
    hi: 0,
    selector: 0,
  })),
)

/** General register `n` in 1, 2, 4 or 8 bytes as an operand, for instructions whose registers are implied. */
export function gpr(n: number, bytes: number): Operand {
  return operands[(31 - Math.clz32(bytes)) * REGISTERS + n]!
}

/** The low `bytes` bytes of general register `n`, zero-extended: low half, high half in `cpu.hi`. */
export function readGpr(cpu: Cpu, n: number, bytes: number): number {
  return readRegister(cpu, gpr(n, bytes))
}

/** Writes general register `n` as an operand of `bytes` bytes: 4 clear the upper half, 1 and 2 leave the rest. */
export function writeGpr(cpu: Cpu, n: number, bytes: number, lo: number, hi: number): void {
  writeRegister(cpu, gpr(n, bytes), lo, hi)
}

/** Adds a signed 32-bit number to general register `register` of `bytes` bytes; 4 clear the upper half. */
export function addToGpr(cpu: Cpu, register: number, bytes: number, delta: number): void {
  const before = readGpr(cpu, register, bytes)
  const lo = (before + delta) | 0
  writeGpr(cpu, register, bytes, lo, carried(before, cpu.hi, lo, delta))
}
