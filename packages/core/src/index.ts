/** trapframe's core: CPUs, memory, events and the seams between them. It knows no delivery mechanism by name. */

export * from './cet/endbranch.js'
export * from './cet/shadow-stack.js'
export * from './cpu/breakpoints.js'
export { writeCr0, writeCr3, writeCr4, writeCr8 } from './cpu/control-registers.js'
export { Cpu, type Segment } from './cpu/cpu.js'
export * from './cpu/model.js'
export * from './driver/driver.js'
export { machineDriver } from './driver/machine-driver.js'
export * from './error.js'
export { deliverEvent, takeFault } from './event/deliver.js'
export type { DeliveryStage, DeliveryStep } from './event/delivery-step.js'
export * from './event/event.js'
export * from './event/fault.js'
export type { DeliveryMechanism, TransferPolicy } from './event/mechanism.js'
export * from './event/pending.js'
export { type RaisedEvent, raise } from './event/raise.js'
export { savedRflags } from './event/saved-rflags.js'
export type { Semantics } from './instruction/code.js'
export * from './instruction/decoded.js'
export type { InstructionDefinition } from './instruction/dispatch.js'
export {
  effectiveAddress,
  loadWidth,
  operandAddress,
  readOperand,
  readRegister,
  storeWidth,
  writeOperand,
  writeRegister,
} from './instruction/operand.js'
export { run, type StepResult, step } from './instruction/step.js'
export { checkedStep } from './machine/check.js'
export * from './machine/host.js'
export { createMachine, Machine, type MachineOptions, type Recipe } from './machine/machine.js'
export { codeAccess32, codeAccess64, dataAccess, resetCpu } from './machine/reset.js'
export type { HostRoutine } from './machine/routine.js'
export type { Snapshot } from './machine/snapshot.js'
export { type HostState, loadHostState } from './machine/vm-exit.js'
export * from './memory/access.js'
export { AddressSpace, type MappedPage } from './memory/address-space.js'
export { carried } from './memory/carry.js'
export {
  load8,
  load16,
  load32,
  load64,
  probe,
  readablePage,
  store8,
  store16,
  store32,
  store64,
  writablePage,
} from './memory/linear.js'
export { PAGE_SIZE, PhysicalMemory } from './memory/physical.js'
export * from './memory/segmented.js'
export * from './memory/stack.js'
export { ARCHITECTURAL_MSRS } from './msr/architectural.js'
export {
  canonicalAddress,
  gp0,
  hexIndex,
  isCanonicalForMsr,
  type Msr,
  type MsrDefinition,
  readMsr,
  writeMsr,
} from './msr/registry.js'
export * from './plugin/plugin.js'
export { type Combine, type Contribution, defineSlot, type Slot } from './plugin/slot.js'
export * from './segment/descriptor.js'
export * from './segment/fixed.js'
export * from './segment/load.js'
export * from './segment/return.js'
export * from './segment/system.js'
export * from './state/control.js'
export type { Layout, Region, RegionDeclaration, RegionScope } from './state/layout.js'
export * from './state/registers.js'
export * from './state/rflags.js'
export * from './state/status.js'
export { type AccessCount, type Accesses, countAccesses } from './trace/accesses.js'
export type { Observer, Writer } from './trace/observer.js'
export type { Trace, TraceEntry, TraceEvents, TraceType } from './trace/trace.js'
export { farTransferInstructions } from './transfer/instructions.js'
export { pushAlignedShadowFrame, pushShadowFrame, SHADOW_FRAME_BYTES } from './transfer/shadow-frame.js'
export { freeToken, TOKEN_BUSY, takeToken } from './transfer/shadow-token.js'
export { loadTaskStack, tssIstOffset, tssRspOffset } from './transfer/task-stack.js'
