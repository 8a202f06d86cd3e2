import type { Cpu, CpuEvent, Decoded, DeliveryStep, Fault } from '@trapframe/core'
import { defineSlot, type Slot } from '@trapframe/core'

/** What became of a step: a check `passed` or `failed`, something was `done`, the step is `idle` here, or not `reached`. */
export type StepVerdict = 'passed' | 'done' | 'failed' | 'idle' | 'unreached'

/** A delivery, or an instruction that crosses rings, step by step as it happened. */
export interface Explanation {
  /** What is explained: `NMI`, `iretq`. */
  readonly about: string
  /** Whose steps these are, in words: `IDT delivery`, `IRET`. */
  readonly title: string
  /** The explainer's name: steps of explanations of one name are the same. */
  readonly by: string
  readonly steps: readonly DeliveryStep[]
  /** One for each step. */
  readonly verdicts: readonly StepVerdict[]
  /** What steps found or did, with the actual values; by number of the step from 0. */
  readonly words: ReadonlyMap<number, string>
  /** What it met, `#PF(0x2) at 0x7ffeffd8`; null where everything passed. */
  readonly fault: string | null
}

/** How explanations speak of addresses. */
export interface Names {
  /** After the label before it: `syscall_entry`, else in hexadecimal. */
  address(value: bigint): string
  /** The lowest byte of something on a stack, as a place: `NMI stack …2fd8`. */
  stack(value: bigint): string
  /** A stack pointer as a place: what lies just below it counts. */
  pointer(value: bigint): string
}

/** What an explainer can say before anything has changed. */
export interface Plan {
  /** Steps that have nothing to do here. */
  readonly idle: ReadonlySet<number>
  readonly words: ReadonlyMap<number, string>
  /** Number of the step that a fault comes from. */
  failedAt(fault: Fault): number
  /** What is known when everything has passed. */
  after?(cpu: Cpu): ReadonlyMap<number, string>
}

/** Explains one way into or out of a ring. */
export interface Explainer<Subject> {
  readonly title: string
  readonly steps: readonly DeliveryStep[]
  /** Looks at a CPU that is about to do it. Changes nothing. */
  plan(cpu: Cpu, subject: Subject, names: Names): Plan
}

/** Explainers of deliveries, by the mechanism's name. */
export const DELIVERY_EXPLAINERS: Slot<Explainer<CpuEvent>> = defineSlot('cli/delivery-explainers', 'all')
/** Explainers of instructions that enter or leave a ring, by mnemonic, with `@` and the mechanism where that matters. */
export const INSTRUCTION_EXPLAINERS: Slot<Explainer<Decoded>> = defineSlot('cli/instruction-explainers', 'all')
