import { type Differences, type PvCall, TF_KERNEL_MODE, type Vcpu, vcpuOf } from '@trapframe/xen'
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
}

/** The context of a call from a guest. */
export function pvContext(call: PvCall, checks: HostChecks = HOST_CHECKS): PvContext {
  const { cpu, build } = call
  const vcpu = vcpuOf(cpu, 'guest', build.layout)
  return { ...call, vcpu, pv: pvStateOf(cpu, vcpu), info: vcpuInfoOf(cpu), shows: build.shows, checks }
}

/** guest_kernel_mode: the guest's own kernel runs, not its user code; both are in ring 3. */
export const inKernelMode = ({ vcpu }: Pick<PvContext, 'vcpu'>): boolean => (vcpu.get('flags') & TF_KERNEL_MODE) !== 0n
