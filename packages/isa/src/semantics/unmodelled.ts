import { type Cpu, type Decoded, UnsupportedError } from '@trapframe/core'

/** Stops the run at a form of an instruction that the model does not have, by name, as it does for whole instructions. */
export function unmodelled(cpu: Cpu, insn: Decoded, why: string): UnsupportedError {
  const at = (BigInt(cpu.startHi >>> 0) << 32n) | BigInt(cpu.startLo >>> 0)
  return new UnsupportedError(
    'instruction',
    `instruction at 0x${at.toString(16)} is not modelled, ${why}: ${insn.text}`,
  )
}
