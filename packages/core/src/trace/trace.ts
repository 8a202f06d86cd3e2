import { EventEmitter } from 'eventemitter3'
import type { Cpu } from '../cpu/cpu.js'
import { eventName, vectorName } from '../event/event.js'
import type { Observer } from './observer.js'

/** What a trace says, by type. Addresses and 64-bit values are `bigint`; `cpu` is the number of the CPU. */
export interface TraceEvents {
  /** An instruction is about to execute. */
  instruction: { cpu: number; rip: bigint; text: string; cpl: number }
  /** An event was delivered: its frame lies at `rsp`. */
  event: {
    cpu: number
    event: string
    /** The architecture's number of the event's type: 2 for an NMI. */
    eventType: number
    vector: number
    errorCode: number | null
    nested: boolean
    mechanism: string
    rip: bigint
    rsp: bigint
    cpl: number
  }
  /** The CPU changed stacks while delivering. */
  'stack-switch': { cpu: number; from: bigint; to: bigint; why: string }
  /** Delivery wrote `bytes` bytes at a linear address. */
  push: { cpu: number; address: bigint; bytes: number }
  /** Delivery read `bytes` bytes from a table. */
  read: { cpu: number; address: bigint; bytes: number }
  'msr-write': { cpu: number; index: number; name: string; value: bigint }
  /** An interprocessor interrupt: `cpu` sent it, or accepted it. */
  ipi: { cpu: number; stage: 'sent' | 'accepted'; from: number; to: readonly number[]; what: string }
  /** A fault was raised, by an instruction or during a delivery. */
  fault: { cpu: number; fault: string; errorCode: number; during: string | null; rip: bigint }
  /** A handler was left. */
  return: { cpu: number; mnemonic: string; rip: bigint; rsp: bigint; cpl: number }
  shutdown: { cpu: number; during: string }
  /** A host routine was entered. */
  dispatch: { cpu: number; routine: string }
  log: { cpu: number | null; text: string }
}

/** The name of a trace event. */
export type TraceType = keyof TraceEvents

/** One entry of a recorded trace: JSON-ready but for its bigints. */
export type TraceEntry = { [T in TraceType]: { type: T } & TraceEvents[T] }[TraceType]

/** Observation of a machine through typed events. Nobody listening, nothing is built. */
export class Trace {
  readonly #emitter = new EventEmitter()
  readonly #changed: () => void
  #sequence: ((entry: TraceEntry) => void)[] = []

  constructor(changed: () => void) {
    this.#changed = changed
  }

  /** Calls `listener` for every event of a type. Returns the function that ends it. */
  on<T extends TraceType>(type: T, listener: (event: TraceEvents[T]) => void): () => void {
    this.#emitter.on(type, listener)
    this.#changed()
    return () => {
      this.#emitter.off(type, listener)
      this.#changed()
    }
  }

  /** Calls `listener` for every event of every type, in order. Returns the function that ends it. */
  record(listener: (entry: TraceEntry) => void): () => void {
    this.#sequence = [...this.#sequence, listener]
    this.#changed()
    return () => {
      this.#sequence = this.#sequence.filter((other) => other !== listener)
      this.#changed()
    }
  }

  emit<T extends TraceType>(type: T, event: TraceEvents[T]): void {
    this.#emitter.emit(type, event)
    for (const listener of this.#sequence) listener({ type, ...event } as unknown as TraceEntry)
  }

  #wants(type: TraceType): boolean {
    return this.#sequence.length > 0 || this.#emitter.listenerCount(type) > 0
  }

  /** The observer that feeds the listeners there are now, or null. */
  observer(): Observer | null {
    const observer: { -readonly [K in keyof Observer]: Observer[K] } = {}
    if (this.#wants('instruction')) {
      observer.instruction = (cpu, insn) =>
        this.emit('instruction', { cpu: cpu.id, rip: cpu.rip, text: insn.text, cpl: cpu.cpl })
    }
    if (this.#wants('event')) {
      observer.delivered = (cpu, event, mechanism) =>
        this.emit('event', {
          cpu: cpu.id,
          event: eventName(event),
          eventType: event.type,
          vector: event.vector,
          errorCode: event.hasErrorCode ? event.errorCode : null,
          nested: event.nested,
          mechanism,
          rip: cpu.rip,
          rsp: cpu.rsp,
          cpl: cpu.cpl,
        })
    }
    if (this.#wants('stack-switch')) {
      observer.stackSwitch = (cpu, lo, hi, why) =>
        this.emit('stack-switch', { cpu: cpu.id, from: cpu.rsp, to: address(lo, hi), why })
    }
    if (this.#wants('push')) {
      observer.stored = (cpu, lo, hi, bytes, by) => {
        if (by === 'delivery') this.emit('push', { cpu: cpu.id, address: address(lo, hi), bytes })
      }
    }
    if (this.#wants('read')) {
      observer.loaded = (cpu, lo, hi, bytes) => this.emit('read', { cpu: cpu.id, address: address(lo, hi), bytes })
    }
    if (this.#wants('msr-write')) {
      observer.msrWritten = (cpu, index, value) =>
        this.emit('msr-write', { cpu: cpu.id, index, name: cpu.machine.msrs.get(index)?.name ?? '', value })
    }
    if (this.#wants('ipi')) {
      observer.ipi = (cpu, note) => this.emit('ipi', { cpu: cpu.id, ...note })
    }
    if (this.#wants('fault')) {
      observer.fault = (cpu, fault, during) =>
        this.emit('fault', {
          cpu: cpu.id,
          fault: vectorName(fault.vector),
          errorCode: fault.errorCode,
          during: during === null ? null : eventName(during),
          rip: cpu.rip,
        })
    }
    if (this.#wants('return')) {
      observer.returned = (cpu, mnemonic) =>
        this.emit('return', { cpu: cpu.id, mnemonic, rip: cpu.rip, rsp: cpu.rsp, cpl: cpu.cpl })
    }
    if (this.#wants('shutdown')) {
      observer.shutdown = (cpu, during) => this.emit('shutdown', { cpu: cpu.id, during: eventName(during) })
    }
    if (this.#wants('log')) {
      observer.log = (cpu: Cpu | null, text) => this.emit('log', { cpu: cpu?.id ?? null, text })
    }
    if (this.#wants('dispatch')) {
      observer.dispatched = (cpu, routine) => this.emit('dispatch', { cpu: cpu.id, routine })
    }
    return Object.keys(observer).length === 0 ? null : observer
  }
}

const address = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
