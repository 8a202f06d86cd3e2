import { CPL, type Cpu, GS_BASE, gp, KERNEL_GS_BASE, ud } from '@trapframe/core'

/** SWAPGS: exchanges GS.base and IA32_KERNEL_GS_BASE. @throws #UD outside 64-bit mode, #GP(0) at CPL > 0 */
export function swapgs(cpu: Cpu): void {
  const { words } = cpu
  if (cpu.codeSize !== 64) throw ud()
  if (words[CPL] !== 0) throw gp(0)
  const lo = words[GS_BASE]!
  const hi = words[GS_BASE + 1]!
  words[GS_BASE] = words[KERNEL_GS_BASE]!
  words[GS_BASE + 1] = words[KERNEL_GS_BASE + 1]!
  words[KERNEL_GS_BASE] = lo
  words[KERNEL_GS_BASE + 1] = hi
}
