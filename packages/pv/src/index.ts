/** PV guests on the Xen of a trapframe machine. */

export { inKernelMode, isCompat, isInitialised, type PvContext, pvContext } from './context.js'
export { crashAddress } from './crash.js'
export { type DomainCrash, readDomainCrash } from './guest/domain-crash.js'
export {
  CALLBACK_NAMES,
  type CallbackName,
  callbackEntry,
  type EntryPoint,
  entryPointAt,
  vectorEntry,
} from './guest/entry-points.js'
/** The hypercalls as the guest’s kernel makes them. */
export * as guestHypercalls from './guest/hypercalls.js'
export { END_VECTOR, initialise } from './guest/initial-state.js'
export { IRET_HYPERCALL_RETURN, type Piece, type SegmentRegister, sharedField } from './guest/kernel.js'
export { ANCHORS, type Anchor, ENTRY_POINT_BYTES, GUEST_GDT, MARKS } from './guest/memory.js'
/** What the guest’s kernel does by instructions of its own. */
export * as guestOperations from './guest/operations.js'
export {
  describeStop,
  GuestStopped,
  type IretFrame,
  PvGuest,
  type PvGuestOptions,
  type Stop,
} from './guest/pv-guest.js'
export { type AskedState, askXen, type BounceFrame, type KernelEntry, readEntry } from './guest/seen.js'
export { HOST_CHECKS, type HostChecks } from './host-checks.js'
export type { Hypercall, HypercallResult } from './hypercall/hypercall.js'
export { HYPERCALLS } from './hypercall/table.js'
export { type OutsideCall, outsideCall } from './outside-call.js'
export { pv, pvInterface } from './plugin.js'
export { EOPNOTSUPP, type Pv32Answer, type Pv32Domain, switchToCompat } from './pv32/address-size.js'
export { type CompatIretFrame, Pv32Guest } from './pv32/guest.js'
export { COMPAT_HYPERCALLS } from './pv32/hypercalls.js'
export { FLAT_RING1_CS, FLAT_RING1_SS, FLAT_RING3_CS, FLAT_RING3_SS } from './pv32/selectors.js'
export { auditDescriptor } from './segment/descriptor-audit.js'
export { getGuestContext, setGuestContext } from './state/guest-context.js'
export { type PvField, type PvState, pvStateOf } from './state/pv-fields.js'
export { setTrapInfo, type TrapInfo, trapInfo } from './state/trap-table.js'
export { vcpuInfoOf, vcpuInfoOffset } from './state/vcpu-info.js'
export { HYPERVISOR_VIRT_END, HYPERVISOR_VIRT_START } from './virtual-range.js'
