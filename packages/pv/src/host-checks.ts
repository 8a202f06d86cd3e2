import { type Cpu, isCanonical } from '@trapframe/core'
import { halves } from '@trapframe/xen'
import { auditDescriptor } from './segment/descriptor-audit.js'
import { FRED_GS, type GuestGs, IDT_GS } from './segment/gs.js'
import { HYPERVISOR_VIRT_END, HYPERVISOR_VIRT_START, stackOutsideXen } from './virtual-range.js'

/**
 * The checks and rules that stand between a guest and the hypervisor, each replaceable: a run over malformed guest state
 * means something only if it finds a host that has lost one of them (P6).
 */
export interface HostChecks {
  /** Whether an address that a guest gave may be loaded into a base or a handler's place. */
  canonical(cpu: Cpu, address: bigint): boolean
  /** The descriptor that a guest gets instead of the one that it wrote; null if it may not have it. */
  audit(descriptor: bigint): bigint | null
  /** RPL 3, which every selector from a guest gets before it is used for CS or SS. */
  readonly rpl: bigint
  /** Whether memory at an address may be read or written on behalf of a guest: not in Xen's own range. */
  outsideXen(address: bigint): boolean
  /** Whether a guest's stack, 16-byte aligned, may be given a frame. */
  stackOutsideXen(rsp: bigint): boolean
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
  gs: (delivery) => (delivery === 'fred' ? FRED_GS : IDT_GS),
}
