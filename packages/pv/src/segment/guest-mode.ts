import type { Cpu } from '@trapframe/core'
import { type GuestGs, TF_KERNEL_MODE } from '@trapframe/xen'
import { inKernelMode, type PvContext } from '../context.js'

/**
 * toggle_guest_mode: from the guest's user code to its kernel or back. The GS base that was active is recorded, for the guest
 * may have changed it by instructions of its own, and the two bases change places (P2, P3).
 */
export function toggleGuestMode(context: PvContext): void {
  const { cpu, vcpu, gs } = context
  vcpu.set(inKernelMode(context) ? 'gs_base_kernel' : 'gs_base_user', gs.active(cpu))
  exchangeBases(cpu, gs)
  vcpu.set('flags', vcpu.get('flags') ^ TF_KERNEL_MODE)
}

/** The active GS base becomes the inactive one and the other way round. */
export function exchangeBases(cpu: Cpu, gs: GuestGs): void {
  const active = gs.active(cpu)
  gs.setActive(cpu, gs.inactive(cpu))
  gs.setInactive(cpu, active)
}
