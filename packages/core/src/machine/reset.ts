import type { Cpu } from '../cpu/cpu.js'
import {
  ACCESS_ACCESSED,
  ACCESS_CODE,
  ACCESS_DB,
  ACCESS_G,
  ACCESS_L,
  ACCESS_PRESENT,
  ACCESS_S,
  ACCESS_UNUSABLE,
  ACCESS_WRITABLE,
  CR0_AM,
  CR0_ET,
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  DR6_FIXED,
  DR7_FIXED,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EFER_SCE,
} from '../state/control.js'
import {
  CPL,
  CR0,
  CR4,
  CS,
  DR6,
  DR7,
  DS,
  EFER,
  ES,
  FS,
  GS,
  LDTR,
  RFLAGS,
  type SegmentNumber,
  SS,
  TR,
  XCR0,
} from '../state/registers.js'
import { RFLAGS_FIXED } from '../state/rflags.js'

/** Access word of a flat 64-bit code segment of privilege `dpl`. */
export const codeAccess64 = (dpl: number): number =>
  ACCESS_G | ACCESS_L | ACCESS_PRESENT | (dpl << 5) | ACCESS_S | ACCESS_CODE | ACCESS_WRITABLE | ACCESS_ACCESSED

/** Access word of a flat 32-bit code segment of privilege `dpl`. */
export const codeAccess32 = (dpl: number): number =>
  ACCESS_G | ACCESS_DB | ACCESS_PRESENT | (dpl << 5) | ACCESS_S | ACCESS_CODE | ACCESS_WRITABLE | ACCESS_ACCESSED

/** Access word of a flat data segment of privilege `dpl`. */
export const dataAccess = (dpl: number): number =>
  ACCESS_G | ACCESS_DB | ACCESS_PRESENT | (dpl << 5) | ACCESS_S | ACCESS_WRITABLE | ACCESS_ACCESSED

/**
 * The state in which a machine starts: not the processor's reset but what a 64-bit loader leaves, at CPL 0 in 64-bit
 * mode with paging on, null data segments and empty tables. MSRs have their reset values.
 */
export function resetCpu(cpu: Cpu): void {
  const { words } = cpu
  words.fill(0)
  words[CR0] = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG
  words[CR4] = CR4_PAE
  words[EFER] = EFER_LME | EFER_LMA | (cpu.has('nx') ? EFER_NXE : 0) | (cpu.has('syscall') ? EFER_SCE : 0)
  words[XCR0] = 1
  words[RFLAGS] = RFLAGS_FIXED
  words[CPL] = 0
  words[DR6] = DR6_FIXED
  words[DR7] = DR7_FIXED
  for (const { slot, reset } of cpu.machine.msrs.all()) {
    if (reset !== undefined) cpu.set64(slot, typeof reset === 'function' ? reset(cpu) : reset)
  }
  const unusable: readonly SegmentNumber[] = [ES, SS, DS, FS, GS, LDTR, TR]
  for (const n of unusable) cpu.setSegment(n, { selector: 0, base: 0n, limit: 0, access: ACCESS_UNUSABLE })
  cpu.setSegment(CS, { selector: 0x8, base: 0n, limit: 0xffffffff, access: codeAccess64(0) })
  cpu.refresh()
}
