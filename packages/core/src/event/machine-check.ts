import type { Cpu } from '../cpu/cpu.js'
import { MCG_MCIP, MCG_RIPV } from '../state/control.js'
import { MCG_STATUS } from '../state/registers.js'

/**
 * Notes in IA32_MCG_STATUS that a machine check is being handled: MCIP, and RIPV, for a machine check of this model comes
 * between two instructions and the saved RIP is good. Returns whether it may be delivered: while MCIP is still set from an
 * earlier one the CPU shuts down instead (SDM 3B, IA32_MCG_STATUS; K1). The handler clears MCIP by WRMSR.
 */
export function beginMachineCheck(cpu: Cpu): boolean {
  const { words } = cpu
  if ((words[MCG_STATUS]! & MCG_MCIP) !== 0) return false
  words[MCG_STATUS] = MCG_MCIP | MCG_RIPV
  return true
}
