import { type Cpu, CR8 } from '@trapframe/core'
import { updateRequest } from './interrupts.js'
import { DIVIDE, ERRORS, ESR, ICR, INVERTED_DFR, IRR, ISR, LDR, LVT, LVT_CMCI, localApic, SVR, TPR } from './region.js'

/** SVR after reset: vector FFh, software-disabled. */
export const SVR_RESET = 0xff
/** Local vector table entries after reset: masked. */
export const LVT_RESET = 0x10000

/** Registers as reset and INIT leave them; identity and mode stay, and what was sent is on its way (SDM 3A "Local APIC State After an INIT Reset"). */
export function resetLocalApic(cpu: Cpu): void {
  const { words } = cpu
  const slot = localApic(cpu)
  for (const register of [TPR, ESR, ERRORS, LDR, INVERTED_DFR, ICR, ICR + 1, DIVIDE]) words[slot + register] = 0
  words.fill(0, slot + IRR, slot + IRR + 8)
  words.fill(0, slot + ISR, slot + ISR + 8)
  words[slot + SVR] = SVR_RESET
  words[slot + LVT_CMCI] = LVT_RESET
  for (let n = 0; n < 6; n++) words[slot + LVT + 2 * n] = LVT_RESET
  cpu.set64(CR8, 0n)
  updateRequest(cpu)
}
