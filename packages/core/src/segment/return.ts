import type { Cpu } from '../cpu/cpu.js'
import { gp, np, ss } from '../event/fault.js'
import type { TransferPolicy } from '../event/mechanism.js'
import { isCanonical } from '../memory/segmented.js'
import { ACCESS_DB, ACCESS_L, ACCESS_UNUSABLE } from '../state/control.js'
import {
  CPL,
  CS,
  DS,
  ES,
  FS,
  GS,
  SEGMENT_ACCESS,
  SEGMENT_LIMIT,
  SEGMENT_SELECTOR,
  SS,
  segmentSlot,
} from '../state/registers.js'
import {
  accessOf,
  type Descriptor,
  dplOf,
  indexOf,
  isCode,
  isConforming,
  isLong,
  isNull,
  isPresent,
  isWritableData,
  limitOf,
  loadCache,
  loadNull,
  readDescriptor,
  rplOf,
} from './descriptor.js'

/**
 * CS and SS as returns load them: far RET, IRET, and ERETU when the selectors are not STAR's. Checking and committing are
 * apart, so that nothing changes before the last check. Between the two belongs {@link markAccessed} for each descriptor.
 */

/**
 * The descriptor that a popped CS selector names, after the checks of a return to its RPL (SDM 3A 5.8.6).
 *
 * @param policy what the active mechanism forbids; left out, nothing (A3)
 * @throws #GP(0) for a null selector; #GP(selector) outside the table, for an RPL below CPL, no code segment, a DPL that
 * does not fit the RPL, L and D both set, or what the policy forbids; #NP(selector), #PF
 */
export function checkReturnCode(cpu: Cpu, selector: number, policy?: TransferPolicy): Descriptor {
  const descriptor = readReturnCode(cpu, selector, policy)
  if (!isPresent(accessOf(descriptor))) throw np(indexOf(selector))
  return descriptor
}

/** The same before it is known to be present. */
export function readReturnCode(cpu: Cpu, selector: number, policy?: TransferPolicy): Descriptor {
  if (isNull(selector)) throw gp(0)
  const descriptor = readDescriptor(cpu, selector)
  const access = accessOf(descriptor)
  const rpl = rplOf(selector)
  const dpl = dplOf(access)
  if (
    rpl < cpu.words[CPL]! ||
    !isCode(access) ||
    (isConforming(access) ? dpl > rpl : dpl !== rpl) ||
    hasBothSizes(access)
  ) {
    throw gp(indexOf(selector))
  }
  if (policy !== undefined) {
    if (!policy.returnToOuterRing && rpl > cpu.words[CPL]!) throw gp(indexOf(selector))
    if (!policy.ring0CompatibilityMode && rpl === 0 && !isLong(access)) throw gp(indexOf(selector))
  }
  return descriptor
}

/** L and D both set: no code segment of long mode. */
export const hasBothSizes = (access: number): boolean => (access & (ACCESS_L | ACCESS_DB)) === (ACCESS_L | ACCESS_DB)

/**
 * The descriptor that a popped SS selector names, for a return to privilege `rpl`; null for a null selector, which only a
 * return to 64-bit code of CPL 0–2 may have, with that RPL.
 *
 * @throws #GP(0) for a null selector elsewhere; #GP(selector), #SS(selector), #PF
 */
export function checkReturnStack(cpu: Cpu, selector: number, rpl: number, toLong: boolean): Descriptor | null {
  if (isNull(selector)) {
    if (!toLong || rpl === 3 || rplOf(selector) !== rpl) throw gp(0)
    return null
  }
  const descriptor = readDescriptor(cpu, selector)
  const access = accessOf(descriptor)
  if (rplOf(selector) !== rpl || !isWritableData(access) || dplOf(access) !== rpl) throw gp(indexOf(selector))
  if (!isPresent(access)) throw ss(indexOf(selector))
  return descriptor
}

/**
 * RIP of a transfer into a code segment: canonical for 64-bit code, otherwise the low 32 bits within the limit. The value
 * to load, low half; the high half is in `cpu.hi`. @throws #GP(0)
 */
export function checkTarget(cpu: Cpu, code: Descriptor, lo: number, hi: number): number {
  if (isLong(accessOf(code))) {
    if (!isCanonical(cpu, hi)) throw gp(0)
    cpu.hi = hi
  } else {
    if (lo >>> 0 > limitOf(code) >>> 0) throw gp(0)
    cpu.hi = 0
  }
  return lo
}

/** Loads CS from a checked descriptor and makes `cpl` the current privilege. Cannot fault. */
export function commitCode(cpu: Cpu, selector: number, descriptor: Descriptor, cpl: number): void {
  loadCache(cpu, CS, (selector & ~3) | cpl, descriptor)
  if (cpu.words[CPL] !== cpl) cpu.setCpl(cpl)
  const { hi } = descriptor
  cpu.codeSize = (hi & (ACCESS_L << 8)) !== 0 ? 64 : (hi & (ACCESS_DB << 8)) !== 0 ? 32 : 16
}

/** Loads SS from what {@link checkReturnStack} gave. Cannot fault. */
export function commitStack(cpu: Cpu, selector: number, descriptor: Descriptor | null): void {
  if (descriptor === null) loadNull(cpu, SS, selector)
  else loadCache(cpu, SS, selector, descriptor)
}

/**
 * After a return to an outer ring: ES, DS, FS and GS that the new CPL could not have loaded become null (SDM 3A 5.8.6).
 * A null selector loses its RPL; the base of a null FS or GS, which is the MSR's, stays.
 */
export function dropInnerSegments({ words }: Cpu): void {
  const cpl = words[CPL]!
  dropInnerSegment(words, segmentSlot(ES), cpl)
  dropInnerSegment(words, segmentSlot(DS), cpl)
  dropInnerSegment(words, segmentSlot(FS), cpl)
  dropInnerSegment(words, segmentSlot(GS), cpl)
}

function dropInnerSegment(words: Int32Array, slot: number, cpl: number): void {
  const access = words[slot + SEGMENT_ACCESS]!
  if ((access & ACCESS_UNUSABLE) === 0) {
    if (dplOf(access) >= cpl || (isCode(access) && isConforming(access))) return
    words[slot + SEGMENT_ACCESS] = ACCESS_UNUSABLE
    words[slot + SEGMENT_LIMIT] = 0
  }
  words[slot + SEGMENT_SELECTOR] = 0
}
