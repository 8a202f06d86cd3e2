import type { Cpu } from '../cpu/cpu.js'
import { CP_ENDBRANCH, cp } from '../event/fault.js'
import type { Decoded } from '../instruction/decoded.js'
import { load8 } from '../memory/linear.js'
import { CET_LEG_IW_EN, CET_SUPPRESS, CET_SUPPRESS_DIS, CET_TRACKER } from '../state/control.js'
import { CPL, RIP, S_CET, U_CET } from '../state/registers.js'

/**
 * Indirect branch tracking (SDM 1 17.3): the tracker of each privilege is two bits of its CET MSR, WAIT_FOR_ENDBRANCH
 * and SUPPRESS.
 */

/** The CET MSR of the current privilege. */
export const cetSlot = (cpu: Cpu): number => (cpu.words[CPL] === 3 ? U_CET : S_CET)

/** Whether the tracker of the current privilege waits for an ENDBRANCH. */
export function waitsForEndbranch(cpu: Cpu): boolean {
  return cpu.endbranchTracking && (cpu.words[cetSlot(cpu)]! & CET_TRACKER) !== 0
}

/** An indirect near branch was taken: the next instruction must be an ENDBRANCH, unless tracking is suppressed. */
export function expectEndbranch(cpu: Cpu): void {
  if (!cpu.endbranchTracking) return
  const slot = cetSlot(cpu)
  if ((cpu.words[slot]! & CET_SUPPRESS) === 0) cpu.words[slot] = cpu.words[slot]! | CET_TRACKER
}

/**
 * A far transfer, an IDT delivery, SYSCALL or SYSENTER reached a new code segment: the next instruction must be an
 * ENDBRANCH, and suppression ends (SDM 1 17.3.4). To be called after CPL changed.
 */
export function demandEndbranch(cpu: Cpu): void {
  if (!cpu.endbranchTracking) return
  const slot = cetSlot(cpu)
  cpu.words[slot] = (cpu.words[slot]! & ~CET_SUPPRESS) | CET_TRACKER
}

/** ENDBRANCH was executed, or event delivery entered a handler that needs none: idle and not suppressed. */
export function resetEndbranchTracker(cpu: Cpu): void {
  const slot = cetSlot(cpu)
  if (cpu.endbranchTracking) cpu.words[slot] = cpu.words[slot]! & ~(CET_TRACKER | CET_SUPPRESS)
}

/**
 * The check before an instruction executes while the tracker waits: ENDBR64 in 64-bit mode, ENDBR32 elsewhere, INT3 and
 * INT1 pass; anything else is #CP(3) unless the legacy code bitmap covers it.
 */
export function checkEndbranch(cpu: Cpu, insn: Decoded): void {
  if (!waitsForEndbranch(cpu)) return
  const { mnemonic } = insn
  if (mnemonic === (cpu.codeSize === 64 ? 'endbr64' : 'endbr32') || mnemonic === 'int3' || mnemonic === 'int1') return
  const slot = cetSlot(cpu)
  const cet = cpu.words[slot]!
  if ((cet & CET_LEG_IW_EN) === 0 || !legacyPage(cpu, slot)) throw cp(CP_ENDBRANCH)
  cpu.words[slot] = (cet & ~CET_TRACKER) | ((cet & CET_SUPPRESS_DIS) === 0 ? CET_SUPPRESS : 0)
}

/** Whether the legacy code page bitmap marks the page of RIP: one bit a page, from EB_LEG_BITMAP_BASE on. */
function legacyPage(cpu: Cpu, slot: number): boolean {
  const page = BigInt.asUintN(48, cpu.get64(RIP)) >> 12n
  const address = (cpu.get64(slot) & ~0xfffn) + (page >> 3n)
  const lo = Number(BigInt.asIntN(32, address))
  const hi = Number(BigInt.asIntN(32, address >> 32n))
  return ((load8(cpu, lo, hi, cpu.user) >>> Number(page & 7n)) & 1) === 1
}
