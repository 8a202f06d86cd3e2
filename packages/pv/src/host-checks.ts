import { type Cpu, isCanonical } from '@trapframe/core'
import { type GuestGs, guestGs, halves } from '@trapframe/xen'
import { iretRflags } from './hypercall/iret-rflags.js'
import { auditDescriptor } from './segment/descriptor-audit.js'
import { isGuestFrame } from './segment/guest-frame.js'
import { HYPERVISOR_VIRT_END, HYPERVISOR_VIRT_START, hardened, stackOutsideXen } from './virtual-range.js'

/**
 * The checks and rules that stand between a guest and the hypervisor, each replaceable: a run over malformed guest state
 * means something only if it finds a host that has lost one of them (P6).
 */
export interface HostChecks {
  /** Whether an address that a guest gave may be loaded into a base or a handler's place. */
  canonical(cpu: Cpu, address: bigint): boolean
  /** The descriptor that a guest, a 32-bit one or not, gets instead of the one that it wrote; null if it may not have it. */
  audit(descriptor: bigint, compat?: boolean): bigint | null
  /** RPL 3, which every selector from a guest gets before it is used for CS or SS. */
  readonly rpl: bigint
  /** Whether memory at an address may be read or written on behalf of a guest: not in Xen's own range. */
  outsideXen(address: bigint): boolean
  /** Whether a guest's stack, 16-byte aligned, may be given a frame. */
  stackOutsideXen(rsp: bigint): boolean
  /**
   * guest_access_mask_ptr: where a frame is really written to. A pointer into the upper half below the end of Xen's range is
   * moved where nothing can be, so that not even speculation gets through.
   */
  hardened(pointer: bigint): bigint
  /** RFLAGS of the frame of an iret hypercall, as the guest may have them. */
  iretRflags(rflags: bigint): bigint
  /** Whether a page of physical memory is the guest's. */
  isGuestFrame(cpu: Cpu, physical: bigint): boolean
  /** Descriptors are audited, too, when a page of them is brought in. */
  readonly auditsPages: boolean
  /** How a guest's GS bases are handled under a delivery (P2, P3). */
  gs(delivery: 'idt' | 'fred'): GuestGs
}

/** Xen as it is. */
export const HOST_CHECKS: HostChecks = {
  canonical: (cpu, address) => isCanonical(cpu, halves(address)[1]),
  audit: auditDescriptor,
  rpl: 3n,
  outsideXen: (address) => {
    const linear = BigInt.asUintN(64, address)
    return linear < HYPERVISOR_VIRT_START || linear >= HYPERVISOR_VIRT_END
  },
  stackOutsideXen,
  hardened,
  iretRflags,
  isGuestFrame,
  auditsPages: true,
  gs: guestGs,
}
