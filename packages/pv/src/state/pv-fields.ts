import type { Cpu } from '@trapframe/core'
import { type PlacedFields, placeFields, type StructView, type Vcpu, viewStruct } from '@trapframe/xen'

/**
 * What a vCPU of a PV guest has beside the registers, selectors, bases and callbacks in Xen's struct vcpu: the callbacks
 * that came later, and what waits to be delivered. It lies in the page of the struct vcpu, above it.
 */

const byte = <const Name extends string>(name: Name) => ({ name, bytes: 1 })
const half = <const Name extends string>(name: Name) => ({ name, bytes: 2 })
const word = <const Name extends string>(name: Name) => ({ name, bytes: 4 })
const quad = <const Name extends string>(name: Name) => ({ name, bytes: 8 })

const FIELDS = [
  /** Callbacks that Xen's own struct vcpu has no place for. */
  quad('syscall32_callback_eip'),
  quad('sysenter_callback_eip'),
  /** `struct trap_bounce`, the event that the guest is given on the way out: the address of its handler. */
  quad('bounce_eip'),
  /** {@link SYSCALL_MASKS_EVENTS} … */
  word('callback_flags'),
  word('bounce_error_code'),
  /** {@link TBF_EXCEPTION} … */
  byte('bounce_flags'),
  byte('nmi_pending'),
  byte('mce_pending'),
  /** Of NMI (bit 0) and MCE (bit 1), those that are not delivered now. */
  byte('async_mask'),
  /** The mask that the iret hypercall of an NMI's or MCE's handler goes back to. */
  byte('nmi_old_mask'),
  byte('mce_old_mask'),
  /** The address at which writing a frame on the guest's stack failed last. */
  quad('crash_address'),
  /** The guest's map of ports that it may use whatever its IOPL, and how many ports the map is about. */
  quad('iobmp'),
  word('iobmp_limit'),
  /** The byte in port 80h, which guests may have. */
  byte('port80'),
  /** The value that RDTSCP shows to the guest. */
  word('tsc_aux'),
  /** The guest is a 32-bit one, with its kernel in ring 1. */
  byte('is_32bit'),
  /** The guest's kernel has told Xen where it wants to be entered. */
  byte('initialised'),
  /** The vCPU has been given FPU state, and does not start with that of a new one. */
  byte('fpu_valid'),
  /** Selectors that 32-bit guests have beside the addresses of handlers. */
  half('bounce_cs'),
  half('event_callback_cs'),
  half('failsafe_callback_cs'),
  half('syscall32_callback_cs'),
  half('sysenter_callback_cs'),
  /** Bits of Xen's CR4 that the CPU does without while a 32-bit guest runs. */
  word('cr4_withheld'),
]

/** A field of the part of a vCPU that PV guests have. */
export type PvField = (typeof FIELDS)[number]['name']

const placed: PlacedFields = placeFields(FIELDS)

/** Offset in the page of struct vcpu. */
const PV_OFFSET = 2048n

/** Bits of `callback_flags`: events are masked when the callback is called. */
export const SYSCALL_MASKS_EVENTS = 1
export const SYSCALL32_MASKS_EVENTS = 2
export const SYSENTER_MASKS_EVENTS = 4
export const FAILSAFE_MASKS_EVENTS = 8

/** Bits of `bounce_flags`: something waits; it has an error code; its handler runs with events masked. */
export const TBF_EXCEPTION = 1
export const TBF_EXCEPTION_ERRCODE = 2
export const TBF_INTERRUPT = 4
/** It is about a SYSCALL, whose frame and handler differ in RFLAGS; and the callback is what waits, not a #UD. */
export const TBF_SYSCALL = 8
export const TBF_CALLBACK = 16

/** Bits of `async_mask`. */
export const ASYNC_NMI = 1
export const ASYNC_MCE = 2

/** That part of a vCPU. */
export type PvState = StructView<PvField>

/** The part of a vCPU that PV guests have. */
export const pvStateOf = (cpu: Cpu, vcpu: Vcpu): PvState => viewStruct<PvField>(cpu, vcpu.address + PV_OFFSET, placed)
