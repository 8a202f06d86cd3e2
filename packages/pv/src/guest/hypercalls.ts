import type { AddressSpace } from '@trapframe/core'
import { CALLBACK_TYPES, type CallbackName } from './entry-points.js'
import { ARGUMENTS, TRAP_LIST, TRAP_TABLE } from './kernel.js'
import { GUEST_GDT } from './memory.js'
import type { PvGuest } from './pv-guest.js'

/** The hypercalls as the guest's kernel makes them, by the numbers and structures of the public ABI. Results are RAX, signed. */

const SET_TRAP_TABLE = 0
const SET_GDT = 2
const STACK_SWITCH = 3
const FPU_TASKSWITCH = 5
const SET_DEBUGREG = 8
const GET_DEBUGREG = 9
const UPDATE_DESCRIPTOR = 10
const VM_ASSIST = 21
const VCPU_OP = 24
const SET_SEGMENT_BASE = 25
const MMUEXT_OP = 26
const CALLBACK_OP = 30
const EVENT_CHANNEL_OP = 32
const PHYSDEV_OP = 33

/** An entry of the trap table. */
export interface Trap {
  readonly vector: number
  /** The least privileged ring that INT n may come from. */
  readonly dpl: number
  readonly maskEvents: boolean
  readonly cs: number
  readonly address: bigint
}

const TRAP_BYTES = 16
const VECTORS = 256
/** Bit of a trap's flags: events are masked when it is taken. */
const MASK_EVENTS = 4

const place = (table: bigint, index: number): bigint => table + BigInt(index * TRAP_BYTES)

function writeTrap(space: AddressSpace, at: bigint, { vector, dpl, maskEvents, cs, address }: Trap): void {
  const flags = dpl | (maskEvents ? MASK_EVENTS : 0)
  space.write64(at, BigInt(vector | (flags << 8)) | (BigInt(cs) << 16n))
  space.write64(at + 8n, address)
}

/** Adds entries to the trap table, or replaces those of their vectors. */
export function setTraps(guest: PvGuest, traps: readonly Trap[]): bigint {
  const { space } = guest.cpu
  for (const [i, trap] of traps.entries()) {
    writeTrap(space, place(TRAP_TABLE, trap.vector), trap)
    writeTrap(space, place(TRAP_LIST, i), trap)
  }
  space.write(place(TRAP_LIST, traps.length), new Uint8Array(TRAP_BYTES))
  return guest.hypercall(SET_TRAP_TABLE, TRAP_LIST)
}

/** Takes the entry of a vector away: the whole table is emptied, and the others are set again. */
export function clearTrap(guest: PvGuest, vector: number): bigint {
  const { space } = guest.cpu
  space.write(place(TRAP_TABLE, vector), new Uint8Array(TRAP_BYTES))
  const emptied = guest.hypercall(SET_TRAP_TABLE, 0n)
  if (emptied !== 0n) return emptied
  let count = 0
  for (let i = 0; i < VECTORS; i++) {
    const entry = space.read(place(TRAP_TABLE, i), TRAP_BYTES)
    if (entry.every((byte) => byte === 0)) continue
    space.write(place(TRAP_LIST, count++), entry)
  }
  space.write(place(TRAP_LIST, count), new Uint8Array(TRAP_BYTES))
  return guest.hypercall(SET_TRAP_TABLE, TRAP_LIST)
}

const CALLBACKOP_REGISTER = 0n

/** Registers a callback at an address; 0 is none. */
export function registerCallback(guest: PvGuest, name: CallbackName, address: bigint, maskEvents: boolean): bigint {
  const { space } = guest.cpu
  space.write64(ARGUMENTS, BigInt(CALLBACK_TYPES[name] | (maskEvents ? 1 << 16 : 0)))
  space.write64(ARGUMENTS + 8n, address)
  return guest.hypercall(CALLBACK_OP, CALLBACKOP_REGISTER, ARGUMENTS)
}

/** The stack for entries from user mode. */
export const stackSwitch = (guest: PvGuest, ss: bigint, rsp: bigint): bigint => guest.hypercall(STACK_SWITCH, ss, rsp)

/** Makes the page {@link GUEST_GDT} the first one of the guest's GDT. */
export function setGdt(guest: PvGuest, entries: number): bigint {
  guest.cpu.space.write64(ARGUMENTS, GUEST_GDT >> 12n)
  return guest.hypercall(SET_GDT, ARGUMENTS, BigInt(entries))
}

const MMUEXT_SET_LDT = 13n
const DOMID_SELF = 0x7ff0n

/** Makes the descriptors at an address the LDT. */
export function setLdt(guest: PvGuest, address: bigint, entries: number): bigint {
  const { space } = guest.cpu
  space.write64(ARGUMENTS, MMUEXT_SET_LDT)
  space.write64(ARGUMENTS + 8n, address)
  space.write64(ARGUMENTS + 16n, BigInt(entries))
  return guest.hypercall(MMUEXT_OP, ARGUMENTS, 1n, 0n, DOMID_SELF)
}

/** Writes a descriptor into a page of descriptors; guest memory lies at its own machine addresses. */
export const updateDescriptor = (guest: PvGuest, address: bigint, descriptor: bigint): bigint =>
  guest.hypercall(UPDATE_DESCRIPTOR, address, descriptor)

export const setDebugreg = (guest: PvGuest, n: number, value: bigint): bigint =>
  guest.hypercall(SET_DEBUGREG, BigInt(n), value)

/** The value, unsigned. */
export const getDebugreg = (guest: PvGuest, n: number): bigint =>
  BigInt.asUintN(64, guest.hypercall(GET_DEBUGREG, BigInt(n)))

/** Sets or clears CR0.TS. */
export const fpuTaskswitch = (guest: PvGuest, set: boolean): bigint => guest.hypercall(FPU_TASKSWITCH, set ? 1n : 0n)

/** VMASST_TYPE_… by name. */
export const VM_ASSISTS = { architectural_iopl: 4 } as const
export type VmAssist = keyof typeof VM_ASSISTS

export const vmAssist = (guest: PvGuest, name: VmAssist, enable: boolean): bigint =>
  guest.hypercall(VM_ASSIST, enable ? 0n : 1n, BigInt(VM_ASSISTS[name]))

/** SEGBASE_… by name. */
export const SEGMENT_BASES = { FS: 0n, GS_USER: 1n, GS_KERNEL: 2n, GS_USER_SEL: 3n } as const

export const setSegmentBase = (guest: PvGuest, which: bigint, value: bigint): bigint =>
  guest.hypercall(SET_SEGMENT_BASE, which, value)

const PHYSDEVOP_SET_IOPL = 6n

export function setIopl(guest: PvGuest, iopl: number): bigint {
  guest.cpu.space.write64(ARGUMENTS, BigInt(iopl))
  return guest.hypercall(PHYSDEV_OP, PHYSDEVOP_SET_IOPL, ARGUMENTS)
}

const EVTCHNOP_SEND = 4n
/** A port that the guest sends to itself. */
const OWN_PORT = 1n

/** An event of the guest for itself: an upcall is pending afterwards. */
export function sendEvent(guest: PvGuest): bigint {
  guest.cpu.space.write64(ARGUMENTS, OWN_PORT)
  return guest.hypercall(EVENT_CHANNEL_OP, EVTCHNOP_SEND, ARGUMENTS)
}

const VCPUOP_SEND_NMI = 11n

/** VCPUOP_send_nmi, as registers for the piece `hypercall`: it may be entered by the NMI before it comes back. */
export const SEND_NMI = { rax: BigInt(VCPU_OP), rdi: VCPUOP_SEND_NMI, rsi: 0n, rdx: 0n } as const
