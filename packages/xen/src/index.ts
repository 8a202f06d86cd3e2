/** Xen as the software under the events of a trapframe machine. */

export { type CommandLine, parseCommandLine } from './boot/command-line.js'
export { type BootDecision, type BootFacts, decideBoot, REVISIONS, type Revision } from './boot/decision.js'
export { type Interrupted, interruptBoot } from './boot/interrupted.js'
export type { Programmed } from './boot/record.js'
export type { SetUp } from './boot/set-up.js'
export { deliveryOf } from './delivery.js'
export { showVcpuRegisters, vcpuName } from './diagnostics/show-registers.js'
export { raiseSoftirq, SCHEDULE_SOFTIRQ } from './exit/softirq.js'
export { type Differences, differencesOf } from './guest-visible/differences.js'
export type { Build, Call, Outcome } from './handlers/context.js'
export { panic } from './handlers/panic.js'
export {
  logUnhandled,
  NO_HANDLERS,
  PV_INTERFACE,
  type PvAnswer,
  type PvCall,
  type PvEvent,
  type PvInterface,
  refusedGate,
} from './handlers/pv-interface.js'
export { isGuest, type UserRegs, userRegsAt } from './handlers/user-regs.js'
export { hex4, hex16, xenVectorName } from './handlers/vector-name.js'
export {
  CPU_STATE_FIELDS,
  type CpuInfoLayout,
  type CpuInfoParts,
  cpuInfoLayout,
  cpuStateOffset,
  LAYOUT_NAMES,
  type LayoutName,
  layOutCpuInfo,
  STACK_BYTES,
} from './layout/cpu-info.js'
export {
  GUEST_CODE,
  GUEST_DATA,
  gdtBase,
  guestStackOf,
  guestVcpuInfo,
  LDT_PAGES,
  ldtBase,
  PER_CPU,
  stackOf,
  TEXT as XEN_TEXT,
  vcpuInfoPage,
  ZERO_FRAME,
} from './layout/memory.js'
export {
  FIRST_RESERVED_GDT_BYTE,
  FLAT_USER_CS32,
  FLAT_USER_CS64,
  FLAT_USER_SS,
  GUEST_GDT_PAGES,
  HYPERVISOR_CS,
  HYPERVISOR_DS32,
  LDT_SELECTOR,
} from './layout/selectors.js'
export {
  type DataSelector,
  type Field,
  type PlacedFields,
  placeFields,
  TRAP_SYSCALL,
  USER_REGS_BYTES,
  type UserRegister,
  userRegsOffset,
} from './layout/user-regs.js'
export { type PlacedPart, XEN_PARTS, type XenPart } from './parts/part.js'
export { xen } from './plugin.js'
export { type PoisonRow, poisonTable } from './poison/table.js'
export {
  currentOf,
  guestUserRegs,
  scheduleIn,
  scheduleOut,
  type VcpuOwner,
  vcpuOf,
} from './registers/context-switch.js'
export { FRED_GS, type GuestGs, guestGs, IDT_GS } from './registers/guest-gs.js'
export { EINVAL, getInfoGuest, setInfoGuest } from './registers/guest-info.js'
export {
  GUEST_CONTEXT,
  GUEST_CONTEXT_BYTES,
  PUBLIC_USER_REGS,
  PUBLIC_USER_REGS_BYTES,
  TRAP_INFO_BYTES,
  VGCF_FAILSAFE_DISABLES_EVENTS,
  VGCF_I387_VALID,
  VGCF_IN_KERNEL,
  VGCF_ONLINE,
  VGCF_SYSCALL_DISABLES_EVENTS,
  viewBuffer,
} from './registers/public-layout.js'
export { loadSegments, saveSegments } from './registers/segments.js'
export { halves, loadField, type StructView, storeField, viewStruct } from './registers/struct-view.js'
export { TF_KERNEL_MODE, VCPU_BYTES, VCPU_RUNNABLE, VCPU_TRAP_TABLE, type Vcpu } from './registers/vcpu.js'
export { constructDom0Vcpu, fpuDataSelector, sanitizeHvmRegs } from './registers/vm86-fields.js'
