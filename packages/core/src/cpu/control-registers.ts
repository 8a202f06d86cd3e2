import { UnsupportedError } from '../error.js'
import { gp } from '../event/fault.js'
import {
  CR0_AM,
  CR0_CD,
  CR0_EM,
  CR0_ET,
  CR0_MP,
  CR0_NE,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR0_TS,
  CR0_WP,
  CR4_CET,
  CR4_FSGSBASE,
  CR4_LA57,
  CR4_OSXSAVE,
  CR4_PAE,
  CR4_PCIDE,
  CR4_SMAP,
  CR4_SMEP,
  CR4_UMIP,
  EFER_LMA,
  EFER_LME,
} from '../state/control.js'
import { CR0, CR3, CR4, CR8, EFER } from '../state/registers.js'
import type { Cpu } from './cpu.js'

/**
 * MOV to CR0, CR3, CR4 and CR8 with the checks of SDM 3A 2.5 and SDM 2B MOV. Each takes a 64-bit value in halves, either
 * throws #GP(0) and changes nothing, or writes the register and everything derived from it. CPL is the caller's to check.
 */

/** Bits of CR0 that exist; writes to the other ones below bit 32 are ignored. */
const CR0_BITS = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG

/** VME PVI TSD DE PSE PAE, PGE PCE OSFXSR OSXMMEXCPT: bits of CR4 that every 64-bit CPU has. */
const CR4_COMMON = 0x3f | (0xf << 7)
const CR4_MCE = 1 << 6

/** Bits of CR3 from the physical address width on; bit 63 is apart. */
const CR3_RESERVED_HI = 0x7ff00000
const CR3_NO_FLUSH_HI = 1 << 31
const CR3_PCID = 0xfff
const CR8_TPR = 0xf

/**
 * CR0: PG needs PE, NW needs CD, WP stays while CR4.CET is set. PG turns long mode on and off (EFER.LMA) where EFER.LME
 * is set, and cannot be cleared in 64-bit mode or with CR4.PCIDE. ET is always 1.
 *
 * @throws #GP(0); UnsupportedError when paging or protection would be off, which the model does not have
 */
export function writeCr0(cpu: Cpu, lo: number, hi: number): void {
  const { words } = cpu
  const old = words[CR0]!
  const value = (lo & CR0_BITS) | CR0_ET
  if (hi !== 0) throw gp(0)
  if ((value & CR0_PG) !== 0 && (value & CR0_PE) === 0) throw gp(0)
  if ((value & CR0_NW) !== 0 && (value & CR0_CD) === 0) throw gp(0)
  if ((value & CR0_WP) === 0 && (words[CR4]! & CR4_CET) !== 0) throw gp(0)
  if ((value & CR0_PG) === 0) {
    if (cpu.codeSize === 64 || ((old & CR0_PG) !== 0 && (words[CR4]! & CR4_PCIDE) !== 0)) throw gp(0)
    throw new UnsupportedError('instruction', 'MOV to CR0 turns paging off, which is not modelled', {
      hint: 'a machine always has paging on and is in long mode',
    })
  }
  if ((old & CR0_PG) === 0 && (words[EFER]! & EFER_LME) !== 0) {
    if ((words[CR4]! & CR4_PAE) === 0) throw gp(0)
    words[EFER] = words[EFER]! | EFER_LMA
  }
  words[CR0] = value
  words[CR0 + 1] = 0
  cpu.refresh()
}

/** CR3: bits from 52 on are reserved; bit 63 (keep the TLB) is allowed with CR4.PCIDE and not stored. @throws #GP(0) */
export function writeCr3(cpu: Cpu, lo: number, hi: number): void {
  const { words } = cpu
  if ((hi & CR3_RESERVED_HI) !== 0) throw gp(0)
  if ((hi & CR3_NO_FLUSH_HI) !== 0 && (words[CR4]! & CR4_PCIDE) === 0) throw gp(0)
  words[CR3] = lo
  words[CR3 + 1] = hi & ~CR3_NO_FLUSH_HI
  cpu.refresh()
}

/**
 * CR4: a bit can be set when the CPU has its feature, whether core or a plugin gave it a meaning. In long mode PAE
 * stays 1 and LA57 as it is; CET needs CR0.WP; PCIDE needs long mode and a PCID of 0 in CR3 when it is set.
 *
 * @throws #GP(0)
 */
export function writeCr4(cpu: Cpu, lo: number, hi: number): void {
  const { words } = cpu
  const [allowedLo, allowedHi] = settableCr4Bits(cpu)
  if ((lo & ~allowedLo) !== 0 || (hi & ~allowedHi) !== 0) throw gp(0)
  const old = words[CR4]!
  const longMode = (words[EFER]! & EFER_LMA) !== 0
  if (longMode && ((lo & CR4_PAE) === 0 || ((lo ^ old) & CR4_LA57) !== 0)) throw gp(0)
  if ((lo & CR4_CET) !== 0 && (words[CR0]! & CR0_WP) === 0) throw gp(0)
  if ((lo & CR4_PCIDE) !== 0 && (old & CR4_PCIDE) === 0 && (!longMode || (words[CR3]! & CR3_PCID) !== 0)) throw gp(0)
  words[CR4] = lo
  words[CR4 + 1] = hi
  cpu.refresh()
}

/** The bits of CR4 that may be 1 on this CPU now, in halves. */
function settableCr4Bits(cpu: Cpu): readonly [lo: number, hi: number] {
  let lo =
    CR4_COMMON |
    (cpu.has('mce') ? CR4_MCE : 0) |
    (cpu.has('umip') ? CR4_UMIP : 0) |
    (cpu.has('la57') ? CR4_LA57 : 0) |
    (cpu.has('fsgsbase') ? CR4_FSGSBASE : 0) |
    (cpu.has('pcid') ? CR4_PCIDE : 0) |
    (cpu.has('xsave') ? CR4_OSXSAVE : 0) |
    (cpu.has('smep') ? CR4_SMEP : 0) |
    (cpu.has('smap') ? CR4_SMAP : 0) |
    (cpu.has('cet-ss') || cpu.has('cet-ibt') ? CR4_CET : 0)
  let hi = 0
  for (const { bit, feature, longModeOnly } of cpu.machine.cr4Bits) {
    if (!cpu.has(feature) || (longModeOnly === true && (cpu.words[EFER]! & EFER_LMA) === 0)) continue
    if (bit < 32) lo |= 1 << bit
    else hi |= 1 << (bit - 32)
  }
  return [lo, hi]
}

/** CR8: the task priority, bits 3:0, which is the interrupt controller's too. @throws #GP(0) for any other bit */
export function writeCr8(cpu: Cpu, lo: number, hi: number): void {
  if (hi !== 0 || (lo & ~CR8_TPR) !== 0) throw gp(0)
  cpu.words[CR8] = lo
  cpu.words[CR8 + 1] = 0
  cpu.machine.interruptController?.priorityChanged(cpu)
}
