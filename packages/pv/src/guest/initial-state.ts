import { FLAT_USER_CS64, FLAT_USER_SS } from '@trapframe/xen'
import { callbackEntry, vectorEntry } from './entry-points.js'
import {
  registerCallback,
  SEGMENT_BASES,
  setDebugreg,
  setGdt,
  setSegmentBase,
  setTraps,
  stackSwitch,
  type Trap,
} from './hypercalls.js'
import { sharedField } from './kernel.js'
import { ANCHORS, GUEST_GDT } from './memory.js'
import { loadSelector } from './operations.js'
import type { PvGuest } from './pv-guest.js'

/** The vector of the guest's own INT n that ends the code under test. */
export const END_VECTOR = 0xf1

const EXCEPTIONS = 32
const NMI = 2
/** INT3 and INTO may come from user mode. */
const SOFTWARE_EXCEPTIONS: readonly number[] = [3, 4]

const trap = (vector: number, dpl: number, maskEvents: boolean): Trap => ({
  vector,
  dpl,
  maskEvents,
  cs: FLAT_USER_CS64,
  address: vectorEntry(vector),
})

const TRAPS: readonly Trap[] = [
  ...Array.from({ length: EXCEPTIONS }, (_, vector) =>
    trap(vector, SOFTWARE_EXCEPTIONS.includes(vector) ? 3 : 0, vector === NMI),
  ),
  trap(END_VECTOR, 3, true),
]

const CALLBACKS = ['event', 'failsafe', 'syscall', 'syscall32', 'sysenter'] as const

/** Entries of the guest's GDT. */
const GDT_ENTRIES = 64
/** Flat ring 3 descriptors, by entry. */
const DESCRIPTORS: readonly (readonly [entry: number, descriptor: bigint])[] = [
  // 64-bit code, 32-bit code, data, read-only data
  [9, 0x00af_fb00_0000_ffffn],
  [10, 0x00cf_fb00_0000_ffffn],
  [11, 0x00cf_f300_0000_ffffn],
  [12, 0x00cf_f100_0000_ffffn],
  // not present: data, 64-bit code
  [13, 0x00cf_7300_0000_ffffn],
  [14, 0x00af_7b00_0000_ffffn],
  // execute-only 32-bit code
  [15, 0x00cf_f900_0000_ffffn],
]

const DR6_INITIAL = 0xffff_0ff0n
const DR7_INITIAL = 0x400n

/**
 * Sets the guest up as its kernel would at its start: exceptions, callbacks, stack, GDT, bases and selectors; upcalls stay
 * masked.
 *
 * @throws Error where Xen refuses something
 */
export function initialise(guest: PvGuest): void {
  const { space } = guest.cpu
  guest.toWorkStack()
  space.write(sharedField('evtchn_upcall_mask'), Uint8Array.of(1))
  accepted('set_trap_table', setTraps(guest, TRAPS))
  for (const name of CALLBACKS) accepted(name, registerCallback(guest, name, callbackEntry(name), false))
  accepted('stack_switch', stackSwitch(guest, BigInt(FLAT_USER_SS), ANCHORS.kstack))
  for (const [entry, descriptor] of DESCRIPTORS) space.write64(GUEST_GDT + BigInt(8 * entry), descriptor)
  accepted('set_gdt', setGdt(guest, GDT_ENTRIES))
  for (const name of ['ds', 'es'] as const) loaded(name, loadSelector(guest, name, BigInt(FLAT_USER_SS)))
  for (const name of ['fs', 'gs'] as const) loaded(name, loadSelector(guest, name, 0n))
  accepted('set_segment_base', setSegmentBase(guest, SEGMENT_BASES.FS, ANCHORS.fsb))
  accepted('set_segment_base', setSegmentBase(guest, SEGMENT_BASES.GS_USER, ANCHORS.gsu))
  accepted('set_segment_base', setSegmentBase(guest, SEGMENT_BASES.GS_KERNEL, ANCHORS.gsk))
  accepted('set_debugreg', setDebugreg(guest, 6, DR6_INITIAL))
  accepted('set_debugreg', setDebugreg(guest, 7, DR7_INITIAL))
  guest.forgetLog()
}

function accepted(what: string, result: bigint): void {
  if (result !== 0n) throw new Error(`Xen refused the guest's ${what}: ${result}`)
}

function loaded(name: string, vector: number | null): void {
  if (vector !== null) throw new Error(`the guest could not load ${name}: vector ${vector}`)
}
