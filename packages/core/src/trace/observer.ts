import type { Cpu } from '../cpu/cpu.js'
import type { CpuEvent } from '../event/event.js'
import type { Fault } from '../event/fault.js'
import type { Decoded } from '../instruction/decoded.js'

/** An interprocessor interrupt on its way from one CPU to another, or to itself. */
export interface IpiNote {
  readonly stage: 'sent' | 'accepted'
  readonly from: number
  /** The CPUs that it was sent to, or the one that accepted it. */
  readonly to: readonly number[]
  /** `NMI`, `INIT`, `SIPI 0x08`, `interrupt 0x40`. */
  readonly what: string
}

/** Who wrote memory: an instruction, or the CPU while it delivers an event. */
export type Writer = 'software' | 'delivery'

/**
 * Sees what a CPU does, synchronously and without allocating; changes nothing but regions that it declared itself.
 * Every call is optional, and a machine without observers pays one comparison. Addresses are linear, in halves.
 */
export interface Observer {
  /** An instruction is about to execute; RIP is still its own. */
  instruction?(cpu: Cpu, insn: Decoded): void
  /** An event is about to be delivered: nothing is changed yet. */
  delivering?(cpu: Cpu, event: CpuEvent): void
  /** It was delivered: RSP is the lowest byte of its frame, RIP the handler. */
  delivered?(cpu: Cpu, event: CpuEvent, mechanism: string): void
  /** A fault was raised, by an instruction or while `during` was delivered. */
  fault?(cpu: Cpu, fault: Fault, during: CpuEvent | null): void
  /** An instruction left a handler: IRET, ERETS, ERETU, SYSRET, SYSEXIT. RIP and RSP are the interrupted context's. */
  returned?(cpu: Cpu, mnemonic: string): void
  /** The stack was switched by the CPU; RSP is still the old one, `lo`/`hi` the new. `why` names the source: `IST2`, `RSP0`, `SL3`. */
  stackSwitch?(cpu: Cpu, lo: number, hi: number, why: string): void
  /** Memory was written. */
  stored?(cpu: Cpu, lo: number, hi: number, bytes: number, by: Writer): void
  /** Memory was read; only while an event is delivered. */
  loaded?(cpu: Cpu, lo: number, hi: number, bytes: number): void
  /** An MSR was written by WRMSR. */
  msrWritten?(cpu: Cpu, index: number, value: bigint): void
  /** The CPU sent an interprocessor interrupt, or accepted one. */
  ipi?(cpu: Cpu, note: IpiNote): void
  /** The CPU shut down. */
  shutdown?(cpu: Cpu, during: CpuEvent): void
  /** A host routine is about to run. */
  dispatched?(cpu: Cpu, routine: string): void
  /** Host software says something. */
  log?(cpu: Cpu | null, text: string): void
}
