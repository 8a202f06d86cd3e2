/** Xen as the software under the events of a trapframe machine. */

export { type CommandLine, parseCommandLine } from './boot/command-line.js'
export { type BootDecision, type BootFacts, decideBoot, REVISIONS, type Revision } from './boot/decision.js'
export { type Interrupted, interruptBoot } from './boot/interrupted.js'
export type { Programmed } from './boot/record.js'
export type { SetUp } from './boot/set-up.js'
export { PV_INTERFACE, type PvAnswer, type PvCall, type PvEvent, type PvInterface } from './handlers/pv-interface.js'
export type { UserRegs } from './handlers/user-regs.js'
export { CPU_STATE_FIELDS, type CpuInfoLayout, layOutCpuInfo } from './layout/cpu-info.js'
export type { Field, UserRegister } from './layout/user-regs.js'
export { xen } from './plugin.js'
