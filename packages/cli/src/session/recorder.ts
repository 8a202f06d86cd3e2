import { type Cpu, type CpuEvent, eventName, type Observer, vectorName } from '@trapframe/core'
import type { DeliveryView } from '../verbs/slots.js'
import type { FaultNote, Step } from './cell-run.js'
import type { Delivery, Standing } from './delivery.js'
import type { RegionFinder } from './symbols.js'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** What the recorder learns during one step. */
interface Open {
  readonly number: number
  readonly cpu: Cpu
  readonly before: Standing
  readonly deliveries: Delivery[]
  readonly faults: FaultNote[]
  text: string
  routine: string | null
  returned: string | null
}

/** What happens between the first look at an event and the end of its delivery. */
interface Underway {
  readonly from: Standing
  readonly stores: [address: bigint, bytes: number][]
  readonly reads: { count: number; bytes: number }
  stack: string | null
}

/** Turns what the machine does into steps and deliveries. */
export class Recorder {
  readonly deliveries: Delivery[] = []
  readonly log: string[] = []
  readonly #views: ReadonlyMap<string, DeliveryView>
  readonly #regionOf: RegionFinder
  #open: Open | undefined
  #underway: Underway | undefined

  constructor(views: ReadonlyMap<string, DeliveryView>, regionOf: RegionFinder) {
    this.#views = views
    this.#regionOf = regionOf
  }

  /** Where a CPU stands now. */
  standing(cpu: Cpu): Standing {
    const level = this.#views.get(cpu.mechanism?.name ?? '')?.stackLevel
    return { rip: cpu.rip, rsp: cpu.rsp, rflags: cpu.rflags, cpl: cpu.cpl, stackLevel: level?.(cpu) ?? null }
  }

  begin(number: number, cpu: Cpu): void {
    this.#open = {
      number,
      cpu,
      before: this.standing(cpu),
      deliveries: [],
      faults: [],
      text: '',
      routine: null,
      returned: null,
    }
  }

  /** Ends the step. `source` is what the scenario says about the address that it began at. */
  end(
    kind: Step['kind'],
    injected: readonly string[],
    source: { readonly text: string; readonly line: number } | undefined,
  ): Step {
    const { number, cpu, before, deliveries, faults, text, routine, returned } = this.#open!
    this.#open = undefined
    return {
      number,
      cpu: cpu.id,
      kind,
      text: kind === 'instruction' ? (source?.text ?? text) : '',
      routine,
      line: kind === 'instruction' ? (source?.line ?? null) : null,
      injected,
      before,
      after: this.standing(cpu),
      deliveries,
      faults,
      returned,
    }
  }

  readonly observer: Observer = {
    instruction: (_cpu, insn) => {
      if (this.#open) this.#open.text = insn.text
    },
    dispatched: (_cpu, routine) => {
      if (this.#open) this.#open.routine = routine
    },
    returned: (_cpu, mnemonic) => {
      if (this.#open) this.#open.returned = mnemonic
    },
    delivering: (cpu) => {
      this.#underway = { from: this.standing(cpu), stores: [], reads: { count: 0, bytes: 0 }, stack: null }
    },
    stackSwitch: (_cpu, _lo, _hi, why) => {
      if (this.#underway) this.#underway.stack = why
    },
    stored: (_cpu, lo, hi, bytes, by) => {
      if (by === 'delivery') this.#underway?.stores.push([(BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0), bytes])
    },
    loaded: (_cpu, _lo, _hi, bytes) => {
      if (this.#underway === undefined) return
      this.#underway.reads.count += 1
      this.#underway.reads.bytes += bytes
    },
    fault: (_cpu, fault, during) => {
      this.#open?.faults.push({
        fault: vectorName(fault.vector),
        errorCode: fault.errorCode,
        during: during === null ? null : eventName(during),
      })
    },
    delivered: (cpu, event, mechanism) => this.#delivered(cpu, event, mechanism),
    log: (_cpu, text) => {
      this.log.push(text)
    },
  }

  #delivered(cpu: Cpu, event: CpuEvent, mechanism: string): void {
    const open = this.#open
    const underway = this.#underway
    this.#underway = undefined
    if (open === undefined || underway === undefined) return
    const bytes = frameBytes(cpu.rsp, underway.stores)
    const delivery: Mutable<Delivery> = {
      number: this.deliveries.length + 1,
      step: open.number,
      cpu: cpu.id,
      event: eventName(event),
      type: event.type,
      vector: event.vector,
      errorCode: event.hasErrorCode ? event.errorCode : null,
      nested: event.nested,
      eventData: (BigInt(event.dataHi >>> 0) << 32n) | BigInt(event.dataLo >>> 0),
      mechanism,
      from: underway.from,
      to: this.standing(cpu),
      stack: underway.stack,
      reads: underway.reads,
      frame: {
        address: cpu.rsp,
        bytes,
        region: this.#regionOf(cpu.rsp, cpu.id)?.name ?? null,
        fields:
          bytes === 0 ? null : (this.#views.get(mechanism)?.decode(cpu.space.read(cpu.rsp, bytes), event) ?? null),
      },
    }
    this.deliveries.push(delivery)
    open.deliveries.push(delivery)
  }
}

/** How many bytes the stores cover from `start` upward without a gap. */
function frameBytes(start: bigint, stores: readonly (readonly [address: bigint, bytes: number])[]): number {
  let end = start
  for (const [address, bytes] of [...stores].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    if (address <= end && address + BigInt(bytes) > end) end = address + BigInt(bytes)
  }
  return Number(end - start)
}
