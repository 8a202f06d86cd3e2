import { type Cpu, GS_BASE, KERNEL_GS_BASE } from '@trapframe/core'

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

const inSlots = (active: number, inactive: number): GuestGs => ({
  active: (cpu) => cpu.get64(active),
  setActive: (cpu, base) => cpu.set64(active, base),
  inactive: (cpu) => cpu.get64(inactive),
  setInactive: (cpu, base) => cpu.set64(inactive, base),
  loadsActive: active === GS_BASE,
})

export const IDT_GS: GuestGs = inSlots(GS_BASE, KERNEL_GS_BASE)
export const FRED_GS: GuestGs = inSlots(KERNEL_GS_BASE, GS_BASE)
