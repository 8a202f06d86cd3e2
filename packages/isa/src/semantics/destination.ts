import {
  type Cpu,
  type Decoded,
  loadWidth,
  OPERAND_GPR,
  type Operand,
  operandAddress,
  readRegister,
  storeWidth,
  WRITE,
  writeRegister,
} from '@trapframe/core'

/** Linear address of the memory destination between its load and its store; nothing outlives the instruction. */
let addressLo = 0
let addressHi = 0

/**
 * The value of an operand that the instruction changes, zero-extended: low half, high half in `cpu.hi`. Memory must be
 * writable already for the load (a fault has W = 1 in its error code), so that {@link writeDestination} cannot fault.
 *
 * @throws #GP(0), #SS(0), #PF, #AC
 */
export function readDestination(cpu: Cpu, insn: Decoded, op: Operand): number {
  return op.kind === OPERAND_GPR
    ? readRegister(cpu, op)
    : loadDestination(cpu, op, operandAddress(cpu, insn, op, op.size, true))
}

/** The same for memory at a linear address (low half `lo`, high half in `cpu.hi`) that was checked for writing. */
export function loadDestination(cpu: Cpu, op: Operand, lo: number): number {
  addressLo = lo
  addressHi = cpu.hi
  return loadWidth(cpu, lo, cpu.hi, op.size, WRITE | cpu.user)
}

/** Writes the operand that {@link readDestination} read last. Never faults. */
export function writeDestination(cpu: Cpu, op: Operand, lo: number, hi: number): void {
  if (op.kind === OPERAND_GPR) writeRegister(cpu, op, lo, hi)
  else storeWidth(cpu, addressLo, addressHi, op.size, lo, hi, WRITE | cpu.user)
}
