import type { Cpu } from '@trapframe/core'
import type { Path } from '../scenario/place.js'
import type { InjectionVerb } from '../verbs/slots.js'

/** An injection that is bound to a cell: what, into which CPU, and when. */
export interface BoundInjection {
  readonly verb: InjectionVerb
  readonly value: unknown
  readonly cpu: number
  readonly moment:
    | { readonly step: number }
    | { readonly address: bigint; readonly occurrence: number; readonly name: string | undefined }
  readonly path: Path
}

/** Injects events at their moments. */
export class Moments {
  readonly #waiting: { readonly injection: BoundInjection; arrivals: number }[]
  /** What was injected into each CPU since its last step. */
  readonly #fresh = new Map<number, string[]>()
  /** What is to be done when each CPU's next step is over. */
  readonly #after = new Map<number, (() => void)[]>()
  readonly #cpus: readonly Cpu[]

  constructor(injections: readonly BoundInjection[], cpus: readonly Cpu[]) {
    this.#waiting = injections.map((injection) => ({ injection, arrivals: 0 }))
    this.#cpus = cpus
  }

  /** A step is about to begin, whichever CPU makes it. */
  beforeStep(number: number): void {
    for (const entry of [...this.#waiting]) {
      const { moment } = entry.injection
      if ('step' in moment && moment.step === number) this.#fire(entry)
    }
  }

  /** A CPU has made a step: what was to last for that long is over. */
  stepped(cpu: Cpu): void {
    for (const end of this.#after.get(cpu.id) ?? []) end()
    this.#after.delete(cpu.id)
  }

  /** A CPU stands before the instruction at its RIP. */
  arrived(cpu: Cpu): void {
    if (cpu.halted || cpu.isShutdown) return
    for (const entry of [...this.#waiting]) {
      const { moment, cpu: number } = entry.injection
      if (!('address' in moment) || number !== cpu.id || moment.address !== cpu.rip) continue
      if (++entry.arrivals === moment.occurrence) this.#fire(entry)
    }
  }

  /** What was injected into a CPU since it was last asked. */
  takeFresh(cpu: number): readonly string[] {
    const fresh = this.#fresh.get(cpu) ?? []
    this.#fresh.delete(cpu)
    return fresh
  }

  /** Whether an injection waits for a step that is still to come. */
  awaitsStep(next: number): boolean {
    return this.#waiting.some(({ injection: { moment } }) => 'step' in moment && moment.step >= next)
  }

  /** Injections whose moment did not come. */
  missed(): readonly BoundInjection[] {
    return this.#waiting.map(({ injection }) => injection)
  }

  #fire(entry: { readonly injection: BoundInjection; arrivals: number }): void {
    const { verb, value, cpu } = entry.injection
    this.#waiting.splice(this.#waiting.indexOf(entry), 1)
    const after = verb.inject(this.#cpus[cpu]!, value)
    if (after !== undefined) this.#after.set(cpu, [...(this.#after.get(cpu) ?? []), after])
    this.#fresh.set(cpu, [...(this.#fresh.get(cpu) ?? []), verb.describe(value)])
  }
}
