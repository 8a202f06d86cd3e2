import { type Boot, type Cpu, defineSlot, type Machine, type Observer, type Slot } from '@trapframe/core'
import type { z } from 'zod'
import type { Path } from '../scenario/place.js'
import type { Quantity } from '../scenario/quantity.js'
import type { CellRun } from '../session/cell-run.js'
import type { FrameFields } from '../session/delivery.js'
import type { SnapshotStore } from '../snapshot/store.js'

/** What a verb can ask about the cell that it is bound to, before the run. */
export interface VerbContext {
  readonly machine: Machine
  readonly boot: Boot
  /** Names of addresses: the host's and those of the scenario's programs. */
  readonly labels: ReadonlyMap<string, bigint>
  /** The CPU that is spoken of; CPU 0 where the scenario names none. */
  readonly cpu: Cpu
  /** Name of the cell; empty where there is no matrix. */
  readonly cell: string
  /** The snapshots that lie beside the scenario. */
  readonly snapshots: SnapshotStore
  /** The scenario names the CPU. */
  readonly cpuGiven: boolean
  /** The address that a quantity stands for. `path` leads to it from the verb's value. Does not return where a label is unknown. */
  address(quantity: Quantity, path?: Path): bigint
  /** Whether `word` is one of `known`; does not return where it is not, and names `what` they are (`areas`). `at` is `key` where the word is the last key of `path`. */
  oneOf(word: string, known: Iterable<string>, what: string, path?: Path, at?: 'key' | 'value'): string
  /** Refuses the verb's value: a mistake in the scenario, shown at `path` inside of it. */
  wrong(message: string, hint?: string, path?: Path): never
}

/** What became of one expectation, in words that stand alone. */
export interface Verdict {
  readonly holds: boolean
  /** What was expected: `an NMI frame on IST2`. */
  readonly expected: string
  /** What was seen instead, or, where it holds, what it holds for. */
  readonly actual: string
}

/** An expectation, bound to a cell. */
export interface Check {
  /** Sees the run; it is told nothing twice. */
  readonly observer?: Observer
  /** The run must record its trace. */
  readonly trace?: boolean
  /** Invariants that the run must judge, though it would not by itself. */
  readonly invariants?: readonly string[]
  /** Judges the finished run. */
  verdict(run: CellRun): Verdict
}

/** A verb under `expect`: its name is the key, its value what stands behind. */
export interface ExpectationVerb<Value = unknown> {
  /** One sentence for listings. */
  readonly summary: string
  /** What the value may be. */
  readonly schema: z.ZodType<Value>
  /** Binds the value to a cell; all that can be wrong with it is found here, before the run. */
  bind(value: Value, context: VerbContext): Check
}

/** A verb under `setup`: its name is the key, its value what stands behind. */
export interface SetupVerb<Value = unknown> {
  readonly summary: string
  readonly schema: z.ZodType<Value>
  /** Sets it in the cell, whose CPUs stand at their starting points; refuses what cannot be with `context.wrong`. */
  apply(value: Value, context: VerbContext): void
}

/** A verb under `inject`: its name is the `event`, its value the other keys beside `at`. */
export interface InjectionVerb<Value = unknown> {
  readonly summary: string
  readonly schema: z.ZodType<Value>
  /** What reports call it: `NMI`, `interrupt 0x20`. */
  describe(value: Value): string
  /** Makes the event pending. What is returned is called when the CPU's next step is over. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most verbs return nothing
  inject(cpu: Cpu, value: Value): (() => void) | undefined | void
}

/** What reports need to know about a delivery mechanism. */
export interface DeliveryView {
  /** The frame that lies in `bytes`, from its lowest byte. */
  decode(bytes: Uint8Array, event: { readonly hasErrorCode: boolean }): FrameFields
  /** What reports say about a frame beside its place and size: `type 2 vector 2`, `NMI bit`. */
  readonly notes?: (fields: FrameFields) => readonly string[]
  /** The quadwords of a frame from the top down, for pictures: name, value, and what it says beside. */
  readonly quadwords?: (fields: FrameFields) => readonly (readonly [name: string, value: bigint, meaning?: string])[]
  /** The stack level that a CPU runs at; left out where the mechanism has none. */
  readonly stackLevel?: (cpu: Cpu) => number
}

// biome-ignore lint/suspicious/noExplicitAny: a slot holds verbs of all values; each verb's schema guards its own
type Any = any

/** Verbs of `expect`, by key. */
export const EXPECTATIONS: Slot<ExpectationVerb<Any>> = defineSlot('cli/expectations', 'all')
/** Verbs of `setup`, by key. */
export const SETUPS: Slot<SetupVerb<Any>> = defineSlot('cli/setups', 'all')
/** Verbs of `inject`, by event. */
export const INJECTIONS: Slot<InjectionVerb<Any>> = defineSlot('cli/injections', 'all')
/** Views of delivery mechanisms, by the mechanism's name. */
export const DELIVERY_VIEWS: Slot<DeliveryView> = defineSlot('cli/delivery-views', 'all')

/** An expectation's verb, with its types checked. */
export function expectationVerb<Value>(verb: ExpectationVerb<Value>): ExpectationVerb<Value> {
  return verb
}

/** A setup's verb, with its types checked. */
export function setupVerb<Value>(verb: SetupVerb<Value>): SetupVerb<Value> {
  return verb
}

/** An injection's verb, with its types checked. */
export function injectionVerb<Value>(verb: InjectionVerb<Value>): InjectionVerb<Value> {
  return verb
}
