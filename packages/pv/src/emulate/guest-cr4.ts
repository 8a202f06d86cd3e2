import { CR4, CR4_DE, CR4_FSGSBASE, CR4_OSFXSR, CR4_OSXSAVE, CR4_PAE, CR4_TSD } from '@trapframe/core'
import type { PvContext } from '../context.js'
import { readElement, writeElement } from '../state/vcpu-array.js'

const CR4_MCE = 1n << 6n
const CR4_OSXMMEXCPT = 1n << 10n
/** Bits of CR4 that are the guest's own. TSD and FSGSBASE take effect, DE does where Xen emulates, OSXSAVE shows in CPUID. */
const GUESTS_OWN = BigInt(CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE)
/** Bits of the real CR4 that a guest sees. */
const VISIBLE = BigInt(CR4_PAE | CR4_OSFXSR) | CR4_MCE | CR4_OSXMMEXCPT
/** Bits that the CPU has as the guest that runs on it has them. */
const LOADED = BigInt(CR4_TSD | CR4_FSGSBASE)

type Running = Pick<PvContext, 'cpu' | 'vcpu'>

/** CR4 as the guest's kernel reads it: its own choice of what it may choose, and some of what Xen chose. */
export const guestCr4 = ({ cpu, vcpu }: Running): bigint =>
  (readElement(vcpu, 'ctrlreg', 4) & GUESTS_OWN) | (cpu.cr4 & VISIBLE)

/** Takes what the guest's kernel writes to CR4, and gives the CPU what of it takes effect. */
export function setGuestCr4({ cpu, vcpu }: Running, value: bigint): void {
  takeGuestCr4({ cpu, vcpu }, value)
  loadGuestCr4({ cpu, vcpu })
}

/** pv_fixup_guest_cr4: what is the guest's own and the CPU has is noted; the rest of the value is ignored. */
export function takeGuestCr4({ cpu, vcpu }: Running, value: bigint): void {
  const missing = (cpu.has('fsgsbase') ? 0 : CR4_FSGSBASE) | (cpu.has('xsave') ? 0 : CR4_OSXSAVE)
  writeElement(vcpu, 'ctrlreg', 4, (value & GUESTS_OWN & ~BigInt(missing)) | (cpu.cr4 & VISIBLE))
}

/**
 * pv_make_cr4: gives the CPU the bits of CR4 that are the guest's. RDFSBASE and its kin are there for a guest whose CR4 says
 * so, and for no other: a kernel that did not ask for them must not have its bases changed behind its back.
 */
export function loadGuestCr4({ cpu, vcpu }: Running): void {
  cpu.setControl(CR4, (cpu.cr4 & ~LOADED) | (guestCr4({ cpu, vcpu }) & LOADED))
}
