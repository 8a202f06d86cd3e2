import type { Cpu } from '@trapframe/core'
import { type Field, placeFields, type StructView, vcpuInfoPage, viewStruct } from '@trapframe/xen'

/**
 * `struct shared_info` of a guest with one vCPU: its vcpu_info, 64 bytes of the public ABI, and the bits of the event channel
 * ports. Xen and the guest have the page in common, and each of the two may write it at any time.
 */

export type VcpuInfoField =
  | 'evtchn_upcall_pending'
  | 'evtchn_upcall_mask'
  | 'evtchn_pending_sel'
  | 'cr2'
  | 'evtchn_pending'
  | 'evtchn_mask'

const VCPU_INFOS_BYTES = 32 * 64
const PORTS_BYTES = 64 * 8
const COMPAT_PORTS_BYTES = 32 * 4

/** The first word of the ports' bits is all that is used: 64 ports. */
export const PORTS = 64

const FIELDS: readonly Field[] = [
  { name: 'evtchn_upcall_pending', bytes: 1 },
  { name: 'evtchn_upcall_mask', bytes: 1 },
  { name: 'evtchn_pending_sel', bytes: 8 },
  { name: 'cr2', bytes: 8 },
  { name: 'rest', bytes: VCPU_INFOS_BYTES - 24 },
  { name: 'evtchn_pending', bytes: 8 },
  { name: 'other_ports', bytes: PORTS_BYTES - 8 },
  { name: 'evtchn_mask', bytes: 8 },
]

const placed = placeFields(FIELDS)

/** What a 32-bit guest has instead: words are half as wide, and so are 32 vcpu_info and 1024 ports' bits in all. */
const COMPAT_FIELDS: readonly Field[] = [
  { name: 'evtchn_upcall_pending', bytes: 1 },
  { name: 'evtchn_upcall_mask', bytes: 1 },
  { name: 'evtchn_pending_sel', bytes: 4 },
  { name: 'cr2', bytes: 4 },
  { name: 'rest', bytes: VCPU_INFOS_BYTES - 16 },
  { name: 'evtchn_pending', bytes: 8 },
  { name: 'other_ports', bytes: COMPAT_PORTS_BYTES - 8 },
  { name: 'evtchn_mask', bytes: 8 },
]

const placedCompat = placeFields(COMPAT_FIELDS)

/** Offset of a field, the same for the guest and for Xen; `compat` for a 32-bit guest. */
export const vcpuInfoOffset = (name: VcpuInfoField, compat = false): number =>
  (compat ? placedCompat : placed).offsets.get(name)!

/** The page of the guest that a CPU runs, as Xen has it. */
export type VcpuInfo = StructView<VcpuInfoField>
export const vcpuInfoOf = (cpu: Cpu, compat = false): VcpuInfo =>
  viewStruct<VcpuInfoField>(cpu, vcpuInfoPage(cpu.id).linear, compat ? placedCompat : placed)

/**
 * Sets a port pending, and the guest's upcall if nobody has told it yet (evtchn_2l_set_pending). The guest counts its ports in
 * words of `wordBits` bits.
 */
export function setPortPending(info: VcpuInfo, port: number, wordBits = 64): void {
  const bit = 1n << BigInt(port)
  const pending = info.get('evtchn_pending')
  if ((pending & bit) !== 0n) return
  info.set('evtchn_pending', pending | bit)
  if ((info.get('evtchn_mask') & bit) !== 0n) return
  info.set('evtchn_pending_sel', info.get('evtchn_pending_sel') | (1n << BigInt(Math.trunc(port / wordBits))))
  info.set('evtchn_upcall_pending', 1n)
}
