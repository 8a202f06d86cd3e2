import type { Cpu, Observer, StackMap } from '@trapframe/core'
import { type LiveFrame, liveFrames } from '@trapframe/explore'
import { nearPlace, onOwnStack } from '../compare/places.js'
import type { Explanation } from '../explain/explanation.js'
import { Explaining } from '../explain/watcher.js'
import type { Step } from '../session/cell-run.js'
import type { Delivery } from '../session/delivery.js'
import type { PreparedCell } from '../session/prepare.js'
import type { RunWatcher } from '../session/run-cell.js'
import { type RegionFinder, regionFinder, symbolizer } from '../session/symbols.js'
import { DELIVERY_VIEWS, type DeliveryView } from '../verbs/slots.js'
import { FRAME_CLOBBERED, FRAME_LEFT, FRAME_RUNNING } from './frame-bits.js'
import { readRegisters } from './registers.js'

/** One step with what a page needs to know about the machine after it. */
export interface TrailStep {
  readonly step: Step
  readonly registers: readonly bigint[]
  /** Live frames, oldest first: place in the list of deliveries, and what became of it, in FRAME_… bits. */
  readonly live: readonly (readonly [delivery: number, bits: number])[]
  /** Place in the trail's list of stack maps. */
  readonly map: number
  /** Whose memory RSP is in, where it is no stack of the CPU. */
  readonly strayed: string | null
  readonly explanations: readonly Explanation[]
}

/** Watches a run and keeps its first and its last steps, as many as a page may have. */
export class Trail implements RunWatcher {
  readonly observer: Observer
  readonly head: TrailStep[] = []
  readonly tail: TrailStep[] = []
  readonly maps: StackMap[] = []
  readonly deliveries: Delivery[] = []
  /** Registers of each CPU before the first step. */
  readonly initial: readonly (readonly bigint[])[]
  readonly initialMaps: readonly number[]
  readonly initialStrayed: readonly (string | null)[]
  /** How many steps in the middle were not kept. */
  omitted = 0
  readonly nameOf: (address: bigint) => string
  readonly #regionOf: RegionFinder
  readonly #prepared: PreparedCell
  readonly #views: ReadonlyMap<string, DeliveryView>
  readonly #explaining: Explaining
  readonly #headSize: number
  readonly #tailSize: number
  readonly #mapKeys = new Map<string, number>()

  /** @param most how many steps are kept */
  constructor(prepared: PreparedCell, most: number) {
    const { machine, boot, programs } = prepared
    this.#prepared = prepared
    this.#headSize = Math.ceil(most * 0.75)
    this.#tailSize = most - this.#headSize
    this.nameOf = symbolizer(programs.labels)
    this.#regionOf = regionFinder(machine, boot)
    const near = { regionOf: this.#regionOf }
    this.#views = new Map(machine.contributions(DELIVERY_VIEWS).map(({ name, value }) => [name, value] as const))
    this.#explaining = new Explaining(machine, (cpu) => ({
      address: this.nameOf,
      stack: (value) => nearPlace(near, value, cpu.id, false),
      pointer: (value) => nearPlace(near, value, cpu.id),
    }))
    this.observer = this.#explaining.observer
    this.initial = machine.cpus.map((cpu) => readRegisters(cpu, this.#views))
    this.initialMaps = machine.cpus.map((cpu) => this.#mapOf(cpu))
    this.initialStrayed = machine.cpus.map((cpu) => this.#strayed(cpu))
  }

  stepped(step: Step, cpu: Cpu): void {
    const explanations = this.#explaining.take()
    this.deliveries.push(...step.deliveries)
    const entry: TrailStep = {
      step,
      registers: readRegisters(cpu, this.#views),
      live: this.#live(cpu),
      map: this.#mapOf(cpu),
      strayed: this.#strayed(cpu),
      explanations,
    }
    if (this.head.length < this.#headSize) this.head.push(entry)
    else {
      this.tail.push(entry)
      if (this.tail.length > this.#tailSize) {
        this.tail.shift()
        this.omitted += 1
      }
    }
  }

  /** Whose memory RSP is in, where it is no stack of the CPU. */
  #strayed(cpu: Cpu): string | null {
    if (onOwnStack({ regionOf: this.#regionOf }, cpu.rsp, cpu.id)) return null
    return this.#regionOf(BigInt.asUintN(64, cpu.rsp - 1n), cpu.id)?.name ?? 'nobody’s'
  }

  /** Live frames as numbers of the deliveries that pushed them: of several alike the last ones, in order. */
  #live(cpu: Cpu): [delivery: number, bits: number][] {
    const frames = liveFrames(cpu)
    const alike = (a: LiveFrame, b: LiveFrame): boolean =>
      a.address === b.address && a.event.type === b.event.type && a.event.vector === b.event.vector
    return frames.flatMap((frame, n) => {
      const later = frames.slice(n + 1).filter((other) => alike(frame, other)).length
      const { address, event, running, left, clobbered } = frame
      const pushed = this.deliveries.filter(
        (one) =>
          one.cpu === cpu.id && one.frame.address === address && one.type === event.type && one.vector === event.vector,
      )
      const found = pushed.at(-1 - later)
      if (found === undefined) return []
      const bits = (running ? FRAME_RUNNING : 0) | (left ? FRAME_LEFT : 0) | (clobbered ? FRAME_CLOBBERED : 0)
      return [[found.number - 1, bits] as [number, number]]
    })
  }

  #mapOf(cpu: Cpu): number {
    const map = this.#prepared.boot.stackMap(cpu)
    const key = JSON.stringify(map, (_key, one: unknown) => (typeof one === 'bigint' ? one.toString(16) : one))
    const known = this.#mapKeys.get(key)
    if (known !== undefined) return known
    this.#mapKeys.set(key, this.maps.length)
    this.maps.push(map)
    return this.maps.length - 1
  }
}
