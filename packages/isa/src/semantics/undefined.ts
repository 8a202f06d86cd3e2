import {
  effectiveAddress,
  Fault,
  linearAddress,
  loadWidth,
  READ,
  readRegister,
  type Semantics,
  ud,
  VECTOR_BR,
} from '@trapframe/core'

const undefinedInstruction: Semantics = () => {
  throw ud()
}

/** BOUND: #BR unless a signed index lies between two bounds in memory, both included. Not in 64-bit mode. */
const bound: Semantics = (cpu, insn) => {
  const [register, memory] = [insn.operands[0]!, insn.operands[1]!]
  const bytes = register.size
  const signed = (value: number): number => (bytes === 2 ? (value << 16) >> 16 : value)
  const effective = effectiveAddress(cpu, insn, memory)
  const at = linearAddress(cpu, memory.segment, effective, cpu.hi, 2 * bytes, false, bytes)
  const access = READ | cpu.user
  const lower = signed(loadWidth(cpu, at, 0, bytes, access))
  const upper = signed(loadWidth(cpu, (at + bytes) | 0, 0, bytes, access))
  const index = signed(readRegister(cpu, register))
  if (index < lower || index > upper) throw new Fault(VECTOR_BR)
}

/**
 * What is #UD until a bit is set that no CPU of the model has: CR4.SMXE, PKE and UINTR, EFER.SVME (VMMCALL without a virtual
 * machine too), VMX non-root operation for VMFUNC; SGX, and MONITOR and MWAIT, which CPUID does not
 * enumerate; AVX, of which there are the few that one meets, for XCR0 cannot turn it on.
 */
const NEVER_ENABLED =
  'getsec rdpkru wrpkru clui stui testui uiret senduipi vmmcall vmrun vmload vmsave stgi clgi skinit invlpga vmfunc ' +
  'encls enclu enclv monitor mwait vzeroupper vzeroall vmovaps vmovups vmovapd vmovupd vmovdqa vmovdqu vmovd vmovq vmovss ' +
  'vmovsd vxorps vxorpd vpxor vaddss vaddps vdivss vdivps vldmxcsr vstmxcsr'

/** Instructions that are there to fault. RSM is #UD outside system-management mode, which the model does not have. */
export const undefinedInstructions: Readonly<Record<string, Semantics>> = {
  ud0: undefinedInstruction,
  ud1: undefinedInstruction,
  ud2: undefinedInstruction,
  rsm: undefinedInstruction,
  ...Object.fromEntries(NEVER_ENABLED.split(' ').map((mnemonic) => [mnemonic, undefinedInstruction])),
  bound,
}
