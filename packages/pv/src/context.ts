import {
  type Differences,
  deliveryOf,
  type GuestGs,
  type PvCall,
  TF_KERNEL_MODE,
  type Vcpu,
  vcpuOf,
} from '@trapframe/xen'
import { HOST_CHECKS, type HostChecks } from './host-checks.js'
import { type PvState, pvStateOf } from './state/pv-fields.js'
import { type VcpuInfo, vcpuInfoOf } from './state/vcpu-info.js'

/** What the interface works on while it answers one call: views of simulated memory, nothing that outlives the step. */
export interface PvContext extends PvCall {
  /** The vCPU that runs; its user_regs are stale meanwhile: the guest's are `regs`. */
  readonly vcpu: Vcpu
  readonly pv: PvState
  readonly info: VcpuInfo
  /** What of the delivery the guest may see (P1). */
  readonly shows: Differences
  /** The checks that stand between a guest and the hypervisor. */
  readonly checks: HostChecks
  /** Where the guest's GS bases are while Xen runs (P2, P3). */
  readonly gs: GuestGs
}

/** The context of a call from a guest. */
export function pvContext(call: PvCall, checks: HostChecks = HOST_CHECKS): PvContext {
  const { cpu, build } = call
  const vcpu = vcpuOf(cpu, 'guest', build.layout)
  const pv = pvStateOf(cpu, vcpu)
  const info = vcpuInfoOf(cpu, isCompat({ pv }))
  return { ...call, vcpu, pv, info, shows: build.shows, checks, gs: checks.gs(deliveryOf(cpu)) }
}

/** is_pv_32bit_vcpu: the guest's kernel is 32-bit code in ring 1, its user code in ring 3 (P5). */
export const isCompat = ({ pv }: Pick<PvContext, 'pv'>): boolean => pv.get('is_32bit') !== 0n

/**
 * Whether the guest's kernel has registered anything to be entered at. Before, Xen has nobody to tell of events: what runs in
 * ring 3 may as well be bare code.
 */
export const isInitialised = ({ pv }: Pick<PvContext, 'pv'>): boolean => pv.get('initialised') !== 0n

const RPL = 3n
const RING_1 = 1n

/**
 * guest_kernel_mode: the guest's own kernel runs, not its user code. Both of a 64-bit guest are in ring 3, and a flag tells;
 * the ring of a 32-bit guest tells for itself.
 */
export const inKernelMode = ({ vcpu, pv, regs }: Pick<PvContext, 'vcpu' | 'pv' | 'regs'>): boolean =>
  isCompat({ pv }) ? (regs.get('cs') & RPL) === RING_1 : (vcpu.get('flags') & TF_KERNEL_MODE) !== 0n
