import type { Cpu } from '../cpu/cpu.js'
import { type Fault, gp } from '../event/fault.js'
import { IMPLICIT, READ, WRITE } from '../memory/access.js'
import { load64, store8 } from '../memory/linear.js'
import {
  ACCESS_ACCESSED,
  ACCESS_CODE,
  ACCESS_CONFORMING,
  ACCESS_DPL_SHIFT,
  ACCESS_G,
  ACCESS_L,
  ACCESS_PRESENT,
  ACCESS_S,
  ACCESS_UNUSABLE,
  ACCESS_WRITABLE,
} from '../state/control.js'
import {
  GDTR,
  LDTR,
  SEGMENT_ACCESS,
  SEGMENT_BASE,
  SEGMENT_LIMIT,
  SEGMENT_SELECTOR,
  segmentSlot,
  TABLE_LIMIT,
} from '../state/registers.js'

/** The two words of an 8-byte descriptor, with the selector they were read by and where they lie (SDM 3A 3.4.5). */
export interface Descriptor {
  readonly selector: number
  readonly lo: number
  readonly hi: number
  /** Linear address, halves. */
  readonly addressLo: number
  readonly addressHi: number
}

/** Selector without its RPL: what goes into error codes. */
export const indexOf = (selector: number): number => selector & 0xfffc
/** Whether a selector is null, whatever its RPL. */
export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0
/** Requested privilege level of a selector. */
export const rplOf = (selector: number): number => selector & 3

/** Access word: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15. */
export const accessOf = (descriptor: Descriptor): number => (descriptor.hi >>> 8) & 0xf0ff
/** Descriptor privilege level of an access word. */
export const dplOf = (access: number): number => (access >>> ACCESS_DPL_SHIFT) & 3
/** The present bit of an access word. */
export const isPresent = (access: number): boolean => (access & ACCESS_PRESENT) !== 0
/** A code segment. */
export const isCode = (access: number): boolean => (access & (ACCESS_S | ACCESS_CODE)) === (ACCESS_S | ACCESS_CODE)
/** The conforming bit of a code segment’s access word. */
export const isConforming = (access: number): boolean => (access & ACCESS_CONFORMING) !== 0
/** A writable data segment: what SS takes. */
export const isWritableData = (access: number): boolean =>
  (access & (ACCESS_S | ACCESS_CODE | ACCESS_WRITABLE)) === (ACCESS_S | ACCESS_WRITABLE)
export const isLong = (access: number): boolean => (access & ACCESS_L) !== 0

/** Limit in bytes, granularity applied; signed 32 bits, as in the flat state. */
export function limitOf({ lo, hi }: Descriptor): number {
  const raw = (lo & 0xffff) | (hi & 0xf0000)
  return (hi & (ACCESS_G << 8)) !== 0 ? (raw << 12) | 0xfff : raw
}

/** Base, 32 bits. */
export function baseOf(descriptor: Descriptor): number {
  return (descriptor.lo >>> 16) | ((descriptor.hi & 0xff) << 16) | (descriptor.hi & 0xff000000)
}

/**
 * Reads the descriptor of a selector that is not null, with supervisor privilege.
 *
 * @param outside makes the fault for a selector beyond its table, from the error code (selector, TI, EXT)
 * @throws that fault, #PF
 */
export function readDescriptor(cpu: Cpu, selector: number, outside: (errorCode: number) => Fault = gp): Descriptor {
  const offset = selector & 0xfff8
  const { words } = cpu
  let baseLo: number
  let baseHi: number
  if ((selector & 4) === 0) {
    if (offset + 7 > words[GDTR + TABLE_LIMIT]!) throw outside(indexOf(selector) | cpu.ext)
    baseLo = words[GDTR]!
    baseHi = words[GDTR + 1]!
  } else {
    const ldt = segmentSlot(LDTR)
    const usable = (words[ldt + SEGMENT_ACCESS]! & ACCESS_UNUSABLE) === 0
    if (!usable || offset + 7 > words[ldt + SEGMENT_LIMIT]! >>> 0) throw outside(indexOf(selector) | cpu.ext)
    baseLo = words[ldt + SEGMENT_BASE]!
    baseHi = words[ldt + SEGMENT_BASE + 1]!
  }
  const addressLo = (baseLo + offset) | 0
  const addressHi = addressLo >>> 0 < baseLo >>> 0 ? (baseHi + 1) | 0 : baseHi
  const lo = load64(cpu, addressLo, addressHi, READ | IMPLICIT)
  return { selector, lo, hi: cpu.hi, addressLo, addressHi }
}

/** The upper 8 bytes of a 16-byte system descriptor or call gate: low word, high word in `cpu.hi`. @throws #PF */
export function readUpperHalf(cpu: Cpu, descriptor: Descriptor): number {
  const lo = (descriptor.addressLo + 8) | 0
  const hi = lo >>> 0 < descriptor.addressLo >>> 0 ? (descriptor.addressHi + 1) | 0 : descriptor.addressHi
  return load64(cpu, lo, hi, READ | IMPLICIT)
}

/** Sets the accessed bit of a code or data descriptor in its table, if it is clear. @throws #PF */
export function markAccessed(cpu: Cpu, descriptor: Descriptor): void {
  const access = accessOf(descriptor)
  if ((access & ACCESS_ACCESSED) !== 0) return
  const lo = (descriptor.addressLo + 5) | 0
  const hi = lo >>> 0 < descriptor.addressLo >>> 0 ? (descriptor.addressHi + 1) | 0 : descriptor.addressHi
  store8(cpu, lo, hi, (access & 0xff) | ACCESS_ACCESSED, WRITE | IMPLICIT)
}

/** Fills a segment cache from a code or data descriptor; nothing is checked. `selector` gives the RPL that stays visible. */
export function loadCache(cpu: Cpu, n: number, selector: number, descriptor: Descriptor): void {
  const slot = segmentSlot(n)
  const { words } = cpu
  words[slot + SEGMENT_SELECTOR] = selector
  words[slot + SEGMENT_ACCESS] = accessOf(descriptor) | ACCESS_ACCESSED
  words[slot + SEGMENT_LIMIT] = limitOf(descriptor)
  words[slot + SEGMENT_BASE] = baseOf(descriptor)
  words[slot + SEGMENT_BASE + 1] = 0
}

/** Makes a segment cache null: unusable, base and limit 0; the selector keeps what is given. */
export function loadNull(cpu: Cpu, n: number, selector: number): void {
  const slot = segmentSlot(n)
  const { words } = cpu
  words[slot + SEGMENT_SELECTOR] = selector
  words[slot + SEGMENT_ACCESS] = ACCESS_UNUSABLE
  words[slot + SEGMENT_LIMIT] = 0
  words[slot + SEGMENT_BASE] = 0
  words[slot + SEGMENT_BASE + 1] = 0
}
