import type { Cpu } from '../cpu/cpu.js'
import { ac, type Fault, gp, ss } from '../event/fault.js'
import { ACCESS_CODE, ACCESS_CONFORMING, ACCESS_DB, ACCESS_UNUSABLE, ACCESS_WRITABLE } from '../state/control.js'
import { FS, RFLAGS, SEGMENT_ACCESS, SEGMENT_BASE, SEGMENT_LIMIT, SS, segmentSlot } from '../state/registers.js'
import { AC } from '../state/rflags.js'

/** Whether a linear address in halves is canonical for the current paging mode (48 or 57 bits). */
export function isCanonical(cpu: Cpu, hi: number): boolean {
  const sign = hi >> cpu.canonicalShift
  return sign === 0 || sign === -1
}

/** #SS(0) for the stack segment, #GP(0) for the others. */
function limitFault(segment: number): Fault {
  return segment === SS ? ss(0) : gp(0)
}

/**
 * The linear address of `bytes` bytes at an effective address: segment base, canonical or limit and type checks, then
 * the alignment check (#AC) of CPL 3 (SDM 3A 3.4.4, 5.3, 6.15). Returns the low half, the high half in `cpu.hi`.
 *
 * @param alignment bytes to which CPL 3 must align while CR0.AM and RFLAGS.AC are set; 1 for none
 */
export function linearAddress(
  cpu: Cpu,
  segment: number,
  lo: number,
  hi: number,
  bytes: number,
  write: boolean,
  alignment: number = bytes,
): number {
  if (cpu.codeSize === 64) {
    if (segment >= FS) {
      const slot = segmentSlot(segment) + SEGMENT_BASE
      const sum = (lo + cpu.words[slot]!) | 0
      hi = (hi + cpu.words[slot + 1]! + (sum >>> 0 < lo >>> 0 ? 1 : 0)) | 0
      lo = sum
    }
    if (!isCanonical(cpu, hi)) throw limitFault(segment)
    const last = (lo + bytes - 1) | 0
    if (last >>> 0 < lo >>> 0 && !isCanonical(cpu, (hi + 1) | 0)) throw limitFault(segment)
    cpu.hi = hi
  } else {
    lo = compatibilityAddress(cpu, segment, lo, bytes, write)
    cpu.hi = 0
  }
  if (cpu.alignmentChecked && (lo & (alignment - 1)) !== 0 && (cpu.words[RFLAGS]! & AC) !== 0) throw ac()
  return lo
}

/** The checks of a segment outside 64-bit mode; the address wraps at 32 bits. */
function compatibilityAddress(cpu: Cpu, segment: number, offset: number, bytes: number, write: boolean): number {
  const slot = segmentSlot(segment)
  const access = cpu.words[slot + SEGMENT_ACCESS]!
  if ((access & ACCESS_UNUSABLE) !== 0) throw limitFault(segment)
  const code = (access & ACCESS_CODE) !== 0
  if (write ? code || (access & ACCESS_WRITABLE) === 0 : code && (access & ACCESS_WRITABLE) === 0) {
    throw limitFault(segment)
  }
  const limit = cpu.words[slot + SEGMENT_LIMIT]! >>> 0
  const first = offset >>> 0
  const last = first + bytes - 1
  if (!code && (access & ACCESS_CONFORMING) !== 0) {
    const top = (access & ACCESS_DB) !== 0 ? 0xffffffff : 0xffff
    if (first <= limit || last > top) throw limitFault(segment)
  } else if (last > limit) {
    throw limitFault(segment)
  }
  return (offset + cpu.words[slot + SEGMENT_BASE]!) | 0
}
