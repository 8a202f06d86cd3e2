import { CS, DS, ES, FS, GPR_NAMES, type GprName, GS, SS } from '@trapframe/core'
import type { EntryPoint } from './entry-points.js'
import { getDebugreg } from './hypercalls.js'
import { sharedField } from './kernel.js'
import { readGsQword, readMsr } from './operations.js'
import type { PvGuest } from './pv-guest.js'

/** The bounce frame that a handler of the guest's kernel finds on its stack. */
export interface BounceFrame {
  readonly rcx: bigint
  readonly r11: bigint
  readonly errorCode: bigint | null
  readonly rip: bigint
  /** The whole slots; the saved upcall mask is bits 39:32 of CS. */
  readonly cs: bigint
  readonly rflags: bigint
  readonly rsp: bigint
  readonly ss: bigint
}

/** What of the vCPU the guest's kernel finds without asking Xen, at the first instruction of a handler. */
export interface KernelEntry {
  readonly frameAt: bigint
  readonly frame: BounceFrame
  readonly gpr: Readonly<Record<GprName, bigint>>
  readonly rflags: bigint
  readonly selectors: Readonly<Record<'cs' | 'ss' | 'ds' | 'es' | 'fs' | 'gs', number>>
  readonly upcallMask: number
  readonly upcallPending: number
  readonly cr2: bigint
}

/** What it finds by asking Xen, and by its own GS. */
export interface AskedState {
  readonly fsBase: bigint
  readonly gsBase: bigint
  readonly kernelGsBase: bigint
  /** The quadword at GS:0, or how its load faulted. */
  readonly gsQword: bigint | EntryPoint
  readonly dr6: bigint
}

const MSR_FS_BASE = 0xc000_0100n
const MSR_GS_BASE = 0xc000_0101n
const MSR_KERNEL_GS_BASE = 0xc000_0102n

/** Reads what the guest's kernel finds; needs the CPU at an entry point. */
export function readEntry(guest: PvGuest): KernelEntry {
  const { cpu } = guest
  const { space } = cpu
  const frameAt = cpu.rsp
  // Xen aligns the frame, so that its address tells whether an error code is in it.
  const hasErrorCode = (frameAt & 8n) === 0n
  const slot = (n: number): bigint => space.read64(frameAt + BigInt(8 * n))
  const above = hasErrorCode ? 3 : 2
  const byte = (address: bigint): number => space.read(address, 1)[0]!
  return {
    frameAt,
    frame: {
      rcx: slot(0),
      r11: slot(1),
      errorCode: hasErrorCode ? slot(2) : null,
      rip: slot(above),
      cs: slot(above + 1),
      rflags: slot(above + 2),
      rsp: slot(above + 3),
      ss: slot(above + 4),
    },
    gpr: Object.fromEntries(GPR_NAMES.map((name, i) => [name, cpu.gpr(i)])) as Record<GprName, bigint>,
    rflags: cpu.rflags,
    selectors: {
      cs: cpu.segment(CS).selector,
      ss: cpu.segment(SS).selector,
      ds: cpu.segment(DS).selector,
      es: cpu.segment(ES).selector,
      fs: cpu.segment(FS).selector,
      gs: cpu.segment(GS).selector,
    },
    upcallMask: byte(sharedField('evtchn_upcall_mask')),
    upcallPending: byte(sharedField('evtchn_upcall_pending')),
    cr2: space.read64(sharedField('cr2')),
  }
}

/** Lets the kernel look, by code of its own, and takes that back: the guest goes on as if nobody had. */
export const askXen = (guest: PvGuest): AskedState =>
  guest.peek(() => ({
    fsBase: readMsr(guest, MSR_FS_BASE),
    gsBase: readMsr(guest, MSR_GS_BASE),
    kernelGsBase: readMsr(guest, MSR_KERNEL_GS_BASE),
    dr6: getDebugreg(guest, 6),
    gsQword: readGsQword(guest),
  }))
