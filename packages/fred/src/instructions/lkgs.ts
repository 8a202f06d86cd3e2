import { CPL, type Cpu, type Decoded, GS, GS_BASE, KERNEL_GS_BASE, loadSegment, readOperand, ud } from '@trapframe/core'

/**
 * LKGS: loads GS as MOV GS does, but the descriptor's base goes to IA32_KERNEL_GS_BASE and GS.base stays (SDM 2 LKGS;
 * A9). With a null selector that base is 0. It works whether FRED is on or off.
 *
 * @throws #UD outside 64-bit mode or at CPL > 0; what reading the operand and MOV GS throw
 */
export function lkgs(cpu: Cpu, insn: Decoded): void {
  const { words } = cpu
  if (cpu.codeSize !== 64 || words[CPL] !== 0) throw ud()
  const selector = readOperand(cpu, insn, insn.operands[0]!) & 0xffff
  const lo = words[GS_BASE]!
  const hi = words[GS_BASE + 1]!
  loadSegment(cpu, GS, selector)
  words[KERNEL_GS_BASE] = words[GS_BASE]!
  words[KERNEL_GS_BASE + 1] = words[GS_BASE + 1]!
  words[GS_BASE] = lo
  words[GS_BASE + 1] = hi
}
