import { PAGE_SIZE, PAGE_WRITABLE } from '@trapframe/core'
import { FIRST_RESERVED_GDT_BYTE, GUEST_GDT_PAGES, gdtBase, ZERO_FRAME } from '@trapframe/xen'
import { isCompat, type PvContext } from '../context.js'
import { loadGuest, storeGuest } from '../guest-memory.js'
import { EINVAL, ENOSYS, type Hypercall, reading } from '../hypercall/hypercall.js'
import { takeDescriptorPage } from './descriptor-page.js'
import { writeDescriptor } from './guest-frame.js'
import { setLdt } from './ldt.js'
import { setSegmentBase } from './segment-base.js'

const PAGE = BigInt(PAGE_SIZE)
const DESCRIPTOR_BYTES = 8n
const DESCRIPTORS_PER_PAGE = PAGE / DESCRIPTOR_BYTES
const MOST_DESCRIPTORS = BigInt(FIRST_RESERVED_GDT_BYTE) / DESCRIPTOR_BYTES
const MOST_LDT_ENTRIES = 8192n
export const PAGE_BITS = 12n

/** set_gdt(frame_list, entries): the guest's part of the GDT, from a list of page frame numbers. */
const SET_GDT: Hypercall = {
  number: 2,
  name: 'set_gdt',
  run: (context, [list, entries]) => setGdt(context, list!, entries!, 8),
}

/** Makes the pages whose frame numbers lie in a list, `bytes` bytes each, the guest's part of the GDT. */
export const setGdt = (context: PvContext, list: bigint, entries: bigint, bytes: 4 | 8): number =>
  reading(() => {
    const pages = gdtPages(entries)
    if (pages === null) return EINVAL
    const frames = Array.from(
      { length: pages },
      (_, i) => loadGuest(context, list + BigInt(bytes * i), bytes) << PAGE_BITS,
    )
    return takeGdt(context, frames, entries)
  })

/** Pages that so many descriptors take; null where the guest's part of the GDT has no room for them. */
export const gdtPages = (entries: bigint): number | null =>
  entries > MOST_DESCRIPTORS ? null : Number((entries + DESCRIPTORS_PER_PAGE - 1n) / DESCRIPTORS_PER_PAGE)

/** pv_set_gdt: audits pages of descriptors and makes them the guest's part of the GDT. */
export function takeGdt(context: PvContext, frames: readonly bigint[], entries: bigint): number {
  if (!frames.every((frame) => takeDescriptorPage(context, frame))) return EINVAL
  placeGdt(context, frames)
  context.vcpu.set('gdt_ents', entries)
  return 0
}

/** Pages that the guest does not have are there, empty: a selector into one is #GP like any descriptor of zeros. */
function placeGdt({ cpu, vcpu }: PvContext, frames: readonly bigint[]): void {
  const base = gdtBase(cpu.id)
  for (let i = 0; i < GUEST_GDT_PAGES; i++) {
    const frame = frames[i]
    cpu.space.map(base + BigInt(i) * PAGE, frame === undefined ? 0 : PAGE_WRITABLE, 1, frame ?? ZERO_FRAME)
  }
  const numbers = new DataView(new ArrayBuffer(vcpu.bytes('gdt_frames').length))
  frames.forEach((frame, i) => {
    numbers.setBigUint64(8 * i, frame >> PAGE_BITS, true)
  })
  vcpu.setBytes('gdt_frames', new Uint8Array(numbers.buffer))
}

/** update_descriptor(address, descriptor): one descriptor at a physical address, audited. */
const UPDATE_DESCRIPTOR: Hypercall = {
  number: 10,
  name: 'update_descriptor',
  run: (context, [address, descriptor]) => updateDescriptor(context, address!, descriptor!),
}

export function updateDescriptor(context: PvContext, address: bigint, descriptor: bigint): number {
  const { cpu, checks } = context
  const audited = checks.audit(descriptor, isCompat(context))
  if ((address & (DESCRIPTOR_BYTES - 1n)) !== 0n || audited === null || !checks.isGuestFrame(cpu, address))
    return EINVAL
  writeDescriptor(cpu, address, audited)
  return 0
}

const SET_SEGMENT_BASE: Hypercall = {
  number: 25,
  name: 'set_segment_base',
  run: (context, [which, base]) => setSegmentBase(context, which!, base!),
}

export const MMUEXT_SET_LDT = 13n
const MMUEXT_OP_BYTES = 24n

/** mmuext_op(uops, count, pdone, domain): of all operations on page tables and the like, the one about the LDT. */
const MMUEXT_OP: Hypercall = {
  number: 26,
  name: 'mmuext_op',
  run: (context, [operations, count, done]) =>
    reading(() => {
      for (let i = 0n; i < count!; i++) {
        const result = mmuextOp(context, operations! + i * MMUEXT_OP_BYTES)
        if (result !== 0) return result
      }
      if (done !== 0n) storeGuest(context, done!, 4, count!)
      return 0
    }),
}

function mmuextOp(context: PvContext, at: bigint): number {
  if ((loadGuest(context, at, 4) & 0xffff_ffffn) !== MMUEXT_SET_LDT) return ENOSYS
  return takeLdt(context, loadGuest(context, at + 8n, 8), loadGuest(context, at + 16n, 4))
}

/** MMUEXT_SET_LDT: `entries` descriptors from `base` on. */
export function takeLdt(context: PvContext, base: bigint, entries: bigint): number {
  if ((base & (PAGE - 1n)) !== 0n || entries > MOST_LDT_ENTRIES || !context.checks.canonical(context.cpu, base)) {
    return EINVAL
  }
  setLdt(context, base, entries)
  return 0
}

/** The hypercalls about descriptors and segments. */
export const SEGMENT_HYPERCALLS: readonly Hypercall[] = [SET_GDT, UPDATE_DESCRIPTOR, SET_SEGMENT_BASE, MMUEXT_OP]
