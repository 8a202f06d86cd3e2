import { type Cpu, GS_BASE, KERNEL_GS_BASE, writeMsr } from '@trapframe/core'

/**
 * Where a PV guest's GS bases are while Xen runs (P2, P3). Entry from ring 3 by the IDT leaves them alone: the guest's
 * active base is in GS_BASE. FRED exchanges them on the way in and on the way out, so that in Xen's context the active
 * one is in KERNEL_GS_BASE.
 */
export interface GuestGs {
  /** The guest's active base: what its GS-relative accesses use. */
  active(cpu: Cpu): bigint
  setActive(cpu: Cpu, base: bigint): void
  /** The one that toggling between guest kernel and guest user brings in. */
  inactive(cpu: Cpu): bigint
  setInactive(cpu: Cpu, base: bigint): void
  /** MOV to GS in Xen's context loads the active one. */
  readonly loadsActive: boolean
}

/** The MSRs, which are the only way to the bases: a value that is not canonical is #GP, in Xen. */
const IA32_GS_BASE = 0xc000_0101
const IA32_KERNEL_GS_BASE = 0xc000_0102

/** Where the bases are when events come by the IDT. */
export const IDT_GS: GuestGs = {
  active: (cpu) => cpu.get64(GS_BASE),
  setActive: (cpu, base) => writeMsr(cpu, IA32_GS_BASE, base),
  inactive: (cpu) => cpu.get64(KERNEL_GS_BASE),
  setInactive: (cpu, base) => writeMsr(cpu, IA32_KERNEL_GS_BASE, base),
  loadsActive: true,
}

/** Where the bases are under FRED: the other way round. */
export const FRED_GS: GuestGs = {
  active: IDT_GS.inactive,
  setActive: IDT_GS.setInactive,
  inactive: IDT_GS.active,
  setInactive: IDT_GS.setActive,
  loadsActive: false,
}

/** That of a delivery. */
export const guestGs = (delivery: 'idt' | 'fred'): GuestGs => (delivery === 'fred' ? FRED_GS : IDT_GS)
