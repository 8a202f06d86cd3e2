import { FIRST_RESERVED_GDT_BYTE, FLAT_USER_CS64 } from '@trapframe/xen'
import { FLAT_RING1_CS } from '../pv32/selectors.js'
import { HYPERVISOR_COMPAT_VIRT_START } from '../virtual-range.js'

/** Bits of a descriptor as a quadword: present, DPL, code or data, 64-bit code, granularity, type of a system descriptor. */
const PRESENT = 1n << 47n
const DPL_SHIFT = 45n
const DPL = 3n << DPL_SHIFT
const CODE_OR_DATA = 1n << 44n
const LONG = 1n << 53n
const GRANULARITY = 1n << 55n
const TYPE = 0xfn << 40n
const TYPE_NONE = 0n
const TYPE_CALL_GATE = 0xcn << 40n
/** Bits of a gate that must be 0: where the interrupt stack table's index would be, and the parameter count. */
const GATE_RESERVED = 0xffn << 32n
/** The same of a 32-bit guest's gates, which may have parameters. */
const COMPAT_GATE_RESERVED = 0xe0n << 32n

const LIMIT_HIGH = 0xfn << 48n
const LIMIT = LIMIT_HIGH | 0xffffn
const LIMIT_SCALE = 12n

/** The target of a call gate: bits 31:16. */
const TARGET_SHIFT = 16n
const TARGET = 0xffffn << TARGET_SHIFT
const RPL = 3n
const TABLE_LDT = 4n

/** The most privileged ring that a guest's descriptors are for: that of its kernel. */
const GUEST_RING = 3n
const COMPAT_GUEST_RING = 1n

/**
 * check_descriptor: what a guest may have in its GDT and LDT (P4). An absent descriptor always faults and is left as it is.
 * Code and data get the ring of the guest's kernel if they are for an inner one. A call gate gets DPL 0, so that using it is
 * #GP with its selector, and keeps the DPL that it was meant to have in the RPL of its target, which must not be Xen's.
 * Type 0 is the second half of a gate. Null: refused.
 *
 * @param compat the guest is a 32-bit one: it has no 64-bit code, and flat segments that end below Xen's range of old are
 * extended, for there the table is that says which machine frame is which of the guest's (P5)
 */
export function auditDescriptor(descriptor: bigint, compat = false): bigint | null {
  if ((descriptor & PRESENT) === 0n) return descriptor
  const least = compat ? COMPAT_GUEST_RING : GUEST_RING
  const given = (descriptor & DPL) >> DPL_SHIFT
  const ring = given < least ? least : given
  if ((descriptor & CODE_OR_DATA) !== 0n) {
    if (compat && (descriptor & LONG) !== 0n) return null
    return ((compat ? extended(descriptor) : descriptor & ~DPL) & ~DPL) | (ring << DPL_SHIFT)
  }
  if ((descriptor & TYPE) === TYPE_NONE) return descriptor
  const reserved = compat ? COMPAT_GATE_RESERVED : GATE_RESERVED
  if ((descriptor & TYPE) !== TYPE_CALL_GATE || (descriptor & reserved) !== 0n) return null
  const target = (descriptor & TARGET) >> TARGET_SHIFT
  if (!isGuests(target, compat)) return null
  return (descriptor & ~(DPL | (RPL << TARGET_SHIFT))) | (ring << TARGET_SHIFT)
}

/** A guest's own segment, or the code segment that Xen has for guests' kernels. */
function isGuests(selector: bigint, compat: boolean): boolean {
  return (
    (selector & ~7n) < BigInt(FIRST_RESERVED_GDT_BYTE) ||
    selector === BigInt(compat ? FLAT_RING1_CS : FLAT_USER_CS64) ||
    (selector & TABLE_LDT) !== 0n
  )
}

/** A segment from 0 that reaches into the range in which Xen once was gets the highest limit there is. */
function extended(descriptor: bigint): bigint {
  const base = ((descriptor >> 16n) & 0xff_ffffn) | ((descriptor >> 56n) << 24n)
  const units = (((descriptor & LIMIT_HIGH) >> 32n) | (descriptor & 0xffffn)) + 1n
  const bytes = (descriptor & GRANULARITY) === 0n ? units : units << LIMIT_SCALE
  return base === 0n && bytes > HYPERVISOR_COMPAT_VIRT_START ? descriptor | LIMIT : descriptor
}
