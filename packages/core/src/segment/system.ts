import type { Cpu } from '../cpu/cpu.js'
import { gp, np } from '../event/fault.js'
import { IMPLICIT, WRITE } from '../memory/access.js'
import { store8 } from '../memory/linear.js'
import { isCanonical } from '../memory/segmented.js'
import { ACCESS_S } from '../state/control.js'
import {
  GDTR,
  LDTR,
  SEGMENT_ACCESS,
  SEGMENT_BASE,
  SEGMENT_LIMIT,
  SEGMENT_SELECTOR,
  segmentSlot,
  TABLE_LIMIT,
  TR,
} from '../state/registers.js'
import {
  accessOf,
  baseOf,
  type Descriptor,
  indexOf,
  isNull,
  isPresent,
  limitOf,
  loadNull,
  readDescriptor,
  readUpperHalf,
} from './descriptor.js'

/** Types of system descriptors in long mode (SDM 3A table 3-2). */
export const TYPE_LDT = 2
export const TYPE_TSS_AVAILABLE = 9
export const TYPE_TSS_BUSY = 11
export const TYPE_CALL_GATE = 12
export const TYPE_INTERRUPT_GATE = 14
export const TYPE_TRAP_GATE = 15

/** Bits 12:8 of the last doubleword of a 16-byte descriptor must be 0: they would be the type of another descriptor. */
export const UPPER_TYPE = 0x1f00
/** The bit that tells a busy TSS from an available one. */
const BUSY = 2

/** Type of a system descriptor, or -1 for a code or data segment. */
export const systemTypeOf = (access: number): number => ((access & ACCESS_S) === 0 ? access & 15 : -1)

/**
 * LLDT at CPL 0: a null selector makes LDTR unusable. The caller checks CPL.
 *
 * @throws #GP(selector) for a selector beyond the GDT or into the LDT, another type or a non-canonical base,
 * #NP(selector), #PF
 */
export function loadLdt(cpu: Cpu, selector: number): void {
  if (isNull(selector)) {
    loadNull(cpu, LDTR, selector)
    return
  }
  const descriptor = readSystemDescriptor(cpu, selector, TYPE_LDT)
  loadSystemCache(cpu, LDTR, descriptor, readUpperBase(cpu, descriptor))
}

/**
 * LTR at CPL 0: loads TR and marks the TSS busy in the GDT. The caller checks CPL.
 *
 * @throws #GP(0) for a null selector; #GP(selector) for a selector beyond the GDT or into the LDT, a descriptor that is
 * no available 64-bit TSS or a non-canonical base; #NP(selector), #PF
 */
export function loadTask(cpu: Cpu, selector: number): void {
  if (isNull(selector)) throw gp(0)
  const descriptor = readSystemDescriptor(cpu, selector, TYPE_TSS_AVAILABLE)
  const baseHi = readUpperBase(cpu, descriptor)
  const lo = (descriptor.addressLo + 5) | 0
  const hi = lo >>> 0 < descriptor.addressLo >>> 0 ? (descriptor.addressHi + 1) | 0 : descriptor.addressHi
  store8(cpu, lo, hi, (accessOf(descriptor) & 0xff) | BUSY, WRITE | IMPLICIT)
  loadSystemCache(cpu, TR, descriptor, baseHi)
  const slot = segmentSlot(TR) + SEGMENT_ACCESS
  cpu.words[slot] = cpu.words[slot]! | BUSY
}

/** A present system descriptor of one type from the GDT; in 64-bit mode all its 16 bytes must be within the limit. */
function readSystemDescriptor(cpu: Cpu, selector: number, type: number): Descriptor {
  const bytes = cpu.codeSize === 64 ? 16 : 8
  if ((selector & 4) !== 0 || (selector & 0xfff8) + bytes - 1 > cpu.words[GDTR + TABLE_LIMIT]!) {
    throw gp(indexOf(selector))
  }
  const descriptor = readDescriptor(cpu, selector)
  const access = accessOf(descriptor)
  if (systemTypeOf(access) !== type) throw gp(indexOf(selector))
  if (!isPresent(access)) throw np(indexOf(selector))
  return descriptor
}

/** Bits 63:32 of the base, which 64-bit mode reads from the upper half; 0 in compatibility mode. */
function readUpperBase(cpu: Cpu, descriptor: Descriptor): number {
  if (cpu.codeSize !== 64) return 0
  const baseHi = readUpperHalf(cpu, descriptor)
  if ((cpu.hi & UPPER_TYPE) !== 0 || !isCanonical(cpu, baseHi)) throw gp(indexOf(descriptor.selector))
  return baseHi
}

function loadSystemCache(cpu: Cpu, n: number, descriptor: Descriptor, baseHi: number): void {
  const slot = segmentSlot(n)
  const { words } = cpu
  words[slot + SEGMENT_SELECTOR] = descriptor.selector
  words[slot + SEGMENT_ACCESS] = accessOf(descriptor)
  words[slot + SEGMENT_LIMIT] = limitOf(descriptor)
  words[slot + SEGMENT_BASE] = baseOf(descriptor)
  words[slot + SEGMENT_BASE + 1] = baseHi
}
