import {
  type Cpu,
  type CpuEvent,
  type Decoded,
  deliverEvent,
  instructionEvent,
  OF,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  RFLAGS,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
  ud,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_OF,
} from '@trapframe/core'

/** The events of `CD n`, which are the same every time. */
const INT_N: readonly CpuEvent[] = Array.from({ length: 256 }, (_, vector) =>
  instructionEvent(SOFTWARE_INTERRUPT, vector, 2),
)

/** INT n: type 4. The gate's DPL must not be below CPL. */
export function interrupt(cpu: Cpu, insn: Decoded): void {
  const vector = insn.operands[0]!.lo & 0xff
  deliverEvent(cpu, insn.length === 2 ? INT_N[vector]! : instructionEvent(SOFTWARE_INTERRUPT, vector, insn.length))
}

/** INT3: type 6. */
export function breakpoint(cpu: Cpu, insn: Decoded): void {
  deliverEvent(cpu, instructionEvent(SOFTWARE_EXCEPTION, VECTOR_BP, insn.length))
}

/** INT1: type 5; the gate's DPL is not looked at, and DR6 stays as it is. */
export function debugTrap(cpu: Cpu, insn: Decoded): void {
  deliverEvent(cpu, instructionEvent(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB, insn.length))
}

/** INTO: type 6 when OF is set; no instruction of 64-bit mode. @throws #UD */
export function overflowTrap(cpu: Cpu, insn: Decoded): void {
  if (cpu.codeSize === 64) throw ud()
  if ((cpu.words[RFLAGS]! & OF) === 0) return
  deliverEvent(cpu, instructionEvent(SOFTWARE_EXCEPTION, VECTOR_OF, insn.length))
}
