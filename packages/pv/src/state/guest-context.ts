import { CR0, CR0_TS } from '@trapframe/core'
import {
  EINVAL,
  GUEST_CONTEXT,
  GUEST_CONTEXT_BYTES,
  getInfoGuest,
  setInfoGuest,
  VCPU_RUNNABLE,
  VGCF_FAILSAFE_DISABLES_EVENTS,
  VGCF_I387_VALID,
  VGCF_ONLINE,
  VGCF_SYSCALL_DISABLES_EVENTS,
  viewBuffer,
} from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { DR6_DEFAULT, getDebugRegister, setDebugRegister } from '../debug/debug-registers.js'
import { takeGuestCr4 } from '../emulate/guest-cr4.js'
import { takeDescriptorPage } from '../segment/descriptor-page.js'
import { gdtPages, PAGE_BITS, takeGdt } from '../segment/hypercalls.js'
import { setLdt } from '../segment/ldt.js'
import { FAILSAFE_MASKS_EVENTS, SYSCALL_MASKS_EVENTS } from './pv-fields.js'
import { writeElement } from './vcpu-array.js'

/**
 * vcpu_guest_context of a 64-bit guest, as XEN_DOMCTL_getvcpucontext and setvcpucontext have it (X10): what Xen's struct vcpu
 * has, and what is kept elsewhere. The callbacks for SYSCALL from 32-bit code and for SYSENTER came later and are no part.
 */

/** Debug registers that exist, by element. */
const DEBUG_REGISTERS = [0, 1, 2, 3, 6, 7] as const
const DR7_DEFAULT = 0x400n

/** Bits of `flags` that are bits of `callback_flags`. */
const MASKS = [
  [VGCF_FAILSAFE_DISABLES_EVENTS, BigInt(FAILSAFE_MASKS_EVENTS)],
  [VGCF_SYSCALL_DISABLES_EVENTS, BigInt(SYSCALL_MASKS_EVENTS)],
] as const

/** arch_get_info_guest of a vCPU that is scheduled out: 5168 bytes. */
export function getGuestContext(context: PvContext): Uint8Array {
  const { cpu, vcpu, pv } = context
  const bytes = getInfoGuest(cpu, vcpu)
  const view = viewBuffer(bytes, GUEST_CONTEXT)
  let flags = view.get('flags')
  for (const [flag, bit] of MASKS) if ((pv.get('callback_flags') & bit) !== 0n) flags |= flag
  if (pv.get('fpu_valid') !== 0n) flags |= VGCF_I387_VALID
  if ((vcpu.get('flags') & VCPU_RUNNABLE) !== 0n) flags |= VGCF_ONLINE
  view.set('flags', flags)
  const debug = quads(view.part('debugreg'))
  for (let n = 0; n < 8; n++) debug.set(n, 0n)
  for (const n of DEBUG_REGISTERS) debug.set(n, getDebugRegister(context, BigInt(n))!)
  return bytes
}

/**
 * arch_set_info_guest of a vCPU that is scheduled out. EINVAL, and nothing of the vCPU is changed, for addresses that are not
 * canonical, an LDT that cannot be or is in Xen's range, or a GDT whose pages or descriptors are not what a guest may have.
 * Debug registers that a guest may not have are left at their defaults, control registers take what is the guest's.
 *
 * @throws RangeError for another number of bytes
 */
export function setGuestContext(context: PvContext, bytes: Uint8Array): number {
  const { cpu, vcpu, pv, checks } = context
  if (bytes.length !== GUEST_CONTEXT_BYTES) return setInfoGuest(cpu, vcpu, bytes)
  const view = viewBuffer(Uint8Array.from(bytes), GUEST_CONTEXT)
  const entries = view.get('gdt_ents')
  const frames = gdtFrames(view.part('gdt_frames'), entries)
  if (!checks.outsideXen(view.get('ldt_base')) || frames === null) return EINVAL
  if (!frames.every((frame) => takeDescriptorPage(context, frame))) return EINVAL
  const result = setInfoGuest(cpu, vcpu, bytes)
  if (result !== 0) return result
  pv.set('initialised', 1n)
  takeGdt(context, frames, entries)
  setLdt(context, view.get('ldt_base'), view.get('ldt_ents'))
  const flags = view.get('flags')
  let masks = pv.get('callback_flags')
  for (const [flag, bit] of MASKS) masks = (flags & flag) === 0n ? masks & ~bit : masks | bit
  pv.set('callback_flags', masks)
  const valid = (flags & VGCF_I387_VALID) !== 0n
  pv.set('fpu_valid', valid ? 1n : 0n)
  if (!valid) vcpu.setBytes('fpu_ctxt', new Uint8Array(vcpu.bytes('fpu_ctxt').length))
  const others = vcpu.get('flags') & ~VCPU_RUNNABLE
  vcpu.set('flags', (flags & VGCF_ONLINE) === 0n ? others : others | VCPU_RUNNABLE)
  takeControls(context, view.part('ctrlreg'))
  takeDebugRegisters(context, view.part('debugreg'))
  return 0
}

const QUAD = 8

const quads = (bytes: Uint8Array): { get(n: number): bigint; set(n: number, value: bigint): void } => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    get: (n) => view.getBigUint64(QUAD * n, true),
    set: (n, value) => view.setBigUint64(QUAD * n, value, true),
  }
}

/** Physical addresses of the pages of a GDT; null for more entries than there is room for. */
function gdtFrames(numbers: Uint8Array, entries: bigint): bigint[] | null {
  const pages = gdtPages(entries)
  if (pages === null) return null
  return Array.from({ length: pages }, (_, n) => BigInt.asUintN(64, quads(numbers).get(n) << PAGE_BITS))
}

/** CR0 is Xen's but for TS; of CR4 some is the guest's. */
function takeControls(context: PvContext, given: Uint8Array): void {
  const { cpu, vcpu } = context
  const ts = BigInt(CR0_TS)
  writeElement(vcpu, 'ctrlreg', 0, (quads(given).get(0) & ts) | (BigInt(cpu.words[CR0]! >>> 0) & ~ts))
  takeGuestCr4(context, quads(given).get(4))
}

function takeDebugRegisters(context: PvContext, given: Uint8Array): void {
  const { vcpu } = context
  for (let n = 0; n < 8; n++) writeElement(vcpu, 'debugreg', n, 0n)
  writeElement(vcpu, 'debugreg', 6, DR6_DEFAULT)
  writeElement(vcpu, 'debugreg', 7, DR7_DEFAULT)
  for (const n of DEBUG_REGISTERS) setDebugRegister(context, BigInt(n), quads(given).get(n))
}
