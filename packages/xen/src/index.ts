/** Xen as the software under the events of a trapframe machine. */

export { type CommandLine, parseCommandLine } from './boot/command-line.js'
export { type BootDecision, type BootFacts, decideBoot, REVISIONS, type Revision } from './boot/decision.js'
export { type Interrupted, interruptBoot } from './boot/interrupted.js'
export type { Programmed } from './boot/record.js'
export type { SetUp } from './boot/set-up.js'
export { showVcpuRegisters } from './diagnostics/show-registers.js'
export { raiseSoftirq, SCHEDULE_SOFTIRQ } from './exit/softirq.js'
export type { Build } from './handlers/context.js'
export { PV_INTERFACE, type PvAnswer, type PvCall, type PvEvent, type PvInterface } from './handlers/pv-interface.js'
export type { UserRegs } from './handlers/user-regs.js'
export {
  CPU_STATE_FIELDS,
  type CpuInfoLayout,
  type CpuInfoParts,
  cpuInfoLayout,
  LAYOUT_NAMES,
  type LayoutName,
  layOutCpuInfo,
} from './layout/cpu-info.js'
export type { DataSelector, Field, PlacedFields, UserRegister } from './layout/user-regs.js'
export { xen } from './plugin.js'
export { type PoisonRow, poisonTable } from './poison/table.js'
export { currentOf, scheduleIn, scheduleOut, type VcpuOwner, vcpuOf } from './registers/context-switch.js'
export { EINVAL, getInfoGuest, setInfoGuest } from './registers/guest-info.js'
export {
  GUEST_CONTEXT,
  GUEST_CONTEXT_BYTES,
  PUBLIC_USER_REGS,
  PUBLIC_USER_REGS_BYTES,
  viewBuffer,
} from './registers/public-layout.js'
export { loadSegments, saveSegments } from './registers/segments.js'
export type { StructView } from './registers/struct-view.js'
export { TF_KERNEL_MODE, VCPU_BYTES, VCPU_RUNNABLE, VCPU_TRAP_TABLE, type Vcpu } from './registers/vcpu.js'
export { constructDom0Vcpu, fpuDataSelector, sanitizeHvmRegs } from './registers/vm86-fields.js'
