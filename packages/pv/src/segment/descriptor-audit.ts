import { FIRST_RESERVED_GDT_BYTE, FLAT_USER_CS64 } from '@trapframe/xen'

/** Bits of a descriptor as a quadword: present, DPL, code or data, type of a system descriptor. */
const PRESENT = 1n << 47n
const DPL_SHIFT = 45n
const DPL = 3n << DPL_SHIFT
const CODE_OR_DATA = 1n << 44n
const TYPE = 0xfn << 40n
const TYPE_NONE = 0n
const TYPE_CALL_GATE = 0xcn << 40n
/** Bits of a gate that must be 0: where the interrupt stack table's index would be, and the parameter count. */
const GATE_RESERVED = 0xffn << 32n

/** The target of a call gate: bits 31:16. */
const TARGET_SHIFT = 16n
const TARGET = 0xffffn << TARGET_SHIFT
const RPL = 3n
const TABLE_LDT = 4n

/** The least privileged ring that a 64-bit guest's descriptors are for; its kernel is there too. */
const GUEST_RING = 3n

/**
 * check_descriptor: what a guest may have in its GDT and LDT (P4). An absent descriptor always faults and is left as it is.
 * Code and data get DPL 3. A call gate gets DPL 0, so that using it is #GP with its selector, and keeps the DPL that it was
 * meant to have in the RPL of its target, which must not be Xen's. Type 0 is the second half of a gate. Null: refused.
 */
export function auditDescriptor(descriptor: bigint): bigint | null {
  if ((descriptor & PRESENT) === 0n) return descriptor
  if ((descriptor & CODE_OR_DATA) !== 0n) return descriptor | (GUEST_RING << DPL_SHIFT)
  if ((descriptor & TYPE) === TYPE_NONE) return descriptor
  if ((descriptor & TYPE) !== TYPE_CALL_GATE || (descriptor & GATE_RESERVED) !== 0n) return null
  const target = (descriptor & TARGET) >> TARGET_SHIFT
  if (!isGuests(target)) return null
  return (descriptor & ~(DPL | (RPL << TARGET_SHIFT))) | (GUEST_RING << TARGET_SHIFT)
}

/** A guest's own segment, or the code segment that Xen has for guests. */
function isGuests(selector: bigint): boolean {
  return (
    (selector & ~7n) < BigInt(FIRST_RESERVED_GDT_BYTE) ||
    selector === BigInt(FLAT_USER_CS64) ||
    (selector & TABLE_LDT) !== 0n
  )
}
