import { DATA_SELECTORS, type Field, GENERAL_REGISTERS, type PlacedFields, placeFields } from '../layout/user-regs.js'

/**
 * `struct cpu_user_regs` of the public ABI, as it lies inside of vcpu_guest_context (X10): its first 168 bytes are like
 * those of Xen's own, but selectors are 16 bits wide, the event mask lies beside CS, and above SS come the data selectors
 * of vm86 mode, which guests still name their segments by (X12).
 */

const quad = (name: string): Field => ({ name, bytes: 8 })
let unnamed = 0
const gap = (bytes: number): Field => ({ name: `_pad${unnamed++}`, bytes })
/** A selector in a quadword of its own. */
const selector = (name: string): Field[] => [{ name, bytes: 2 }, gap(2), gap(4)]

export const PUBLIC_USER_REGS_FIELDS: readonly Field[] = [
  ...GENERAL_REGISTERS.map(quad),
  { name: 'error_code', bytes: 4 },
  { name: 'entry_vector', bytes: 4 },
  quad('rip'),
  { name: 'cs', bytes: 2 },
  gap(2),
  { name: 'saved_upcall_mask', bytes: 1 },
  gap(1),
  gap(2),
  quad('rflags'),
  quad('rsp'),
  ...selector('ss'),
  ...DATA_SELECTORS.flatMap(selector),
]

/** `struct cpu_user_regs` of the public ABI, with the places of its fields. */
export const PUBLIC_USER_REGS: PlacedFields = placeFields(PUBLIC_USER_REGS_FIELDS)

/** 200 bytes. */
export const PUBLIC_USER_REGS_BYTES = PUBLIC_USER_REGS.bytes

const TRAPS = 256
/** Bytes of a trap_info: vector, flags, selector, address. */
export const TRAP_INFO_BYTES = 16

/** `struct vcpu_guest_context` of a 64-bit guest. */
export const GUEST_CONTEXT_FIELDS: readonly Field[] = [
  { name: 'fpu_ctxt', bytes: 512 },
  quad('flags'),
  { name: 'user_regs', bytes: PUBLIC_USER_REGS_BYTES },
  { name: 'trap_ctxt', bytes: TRAPS * TRAP_INFO_BYTES },
  quad('ldt_base'),
  quad('ldt_ents'),
  { name: 'gdt_frames', bytes: 16 * 8 },
  quad('gdt_ents'),
  quad('kernel_ss'),
  quad('kernel_sp'),
  { name: 'ctrlreg', bytes: 8 * 8 },
  { name: 'debugreg', bytes: 8 * 8 },
  quad('event_callback_eip'),
  quad('failsafe_callback_eip'),
  quad('syscall_callback_eip'),
  quad('vm_assist'),
  quad('fs_base'),
  quad('gs_base_kernel'),
  quad('gs_base_user'),
]

/** `struct vcpu_guest_context`, with the places of its fields. */
export const GUEST_CONTEXT: PlacedFields = placeFields(GUEST_CONTEXT_FIELDS)

/** 5168 bytes. */
export const GUEST_CONTEXT_BYTES = GUEST_CONTEXT.bytes

/** Bits of `flags`: the FPU state means something; the vCPU is in guest kernel mode. */
export const VGCF_I387_VALID = 1n << 0n
export const VGCF_IN_KERNEL = 1n << 2n
/** Events are masked when the failsafe or the SYSCALL callback is called. */
export const VGCF_FAILSAFE_DISABLES_EVENTS = 1n << 3n
export const VGCF_SYSCALL_DISABLES_EVENTS = 1n << 4n
/** The vCPU may run. */
export const VGCF_ONLINE = 1n << 5n

/** A structure of the ABI in a buffer. */
export interface BufferView {
  get(name: string): bigint
  set(name: string, value: bigint): void
  /** The bytes of an array or of a structure inside of this one; the same memory. */
  part(name: string): Uint8Array
}

/** The structure with these fields in a buffer, little-endian. */
export function viewBuffer(bytes: Uint8Array, { offsets, sizes }: PlacedFields): BufferView {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    get(name) {
      const at = offsets.get(name)!
      switch (sizes.get(name)!) {
        case 1:
          return BigInt(view.getUint8(at))
        case 2:
          return BigInt(view.getUint16(at, true))
        case 4:
          return BigInt(view.getUint32(at, true))
        default:
          return view.getBigUint64(at, true)
      }
    },
    set(name, value) {
      const at = offsets.get(name)!
      switch (sizes.get(name)!) {
        case 1:
          return view.setUint8(at, Number(value & 0xffn))
        case 2:
          return view.setUint16(at, Number(value & 0xffffn), true)
        case 4:
          return view.setUint32(at, Number(value & 0xffff_ffffn), true)
        default:
          return view.setBigUint64(at, BigInt.asUintN(64, value), true)
      }
    },
    part: (name) => bytes.subarray(offsets.get(name)!, offsets.get(name)! + sizes.get(name)!),
  }
}
