import {
  type Cpu,
  type CpuEvent,
  type Decoded,
  eventName,
  type Fault,
  type Machine,
  type Observer,
  VECTOR_PF,
  vectorName,
} from '@trapframe/core'
import {
  DELIVERY_EXPLAINERS,
  type Explainer,
  type Explanation,
  INSTRUCTION_EXPLAINERS,
  type Names,
  type Plan,
  type StepVerdict,
} from './explanation.js'
import { hex } from './words.js'

/** An explanation that is under way. */
interface Open {
  readonly about: string
  readonly by: string
  readonly explainer: Explainer<never>
  readonly plan: Plan
}

/** Sees a machine run and explains every delivery and every instruction that enters or leaves a ring. */
export class Explaining {
  readonly #deliveries: ReadonlyMap<string, Explainer<CpuEvent>>
  readonly #instructions: ReadonlyMap<string, Explainer<Decoded>>
  readonly #names: (cpu: Cpu) => Names
  #delivery: Open | undefined
  #instruction: (Open & { readonly cpu: Cpu }) | undefined
  #taken: Explanation[] = []

  constructor(machine: Machine, names: (cpu: Cpu) => Names) {
    const byName = <T>(list: readonly { readonly name: string; readonly value: T }[]): Map<string, T> =>
      new Map(list.map(({ name, value }) => [name, value]))
    this.#deliveries = byName(machine.contributions(DELIVERY_EXPLAINERS))
    this.#instructions = byName(machine.contributions(INSTRUCTION_EXPLAINERS))
    this.#names = names
  }

  /** What was explained since the last call: to be called after each step. */
  take(): readonly Explanation[] {
    const instruction = this.#instruction
    this.#instruction = undefined
    // An instruction that was not refused has done what it does.
    if (instruction !== undefined) this.#finish(instruction, instruction.cpu)
    const taken = this.#taken
    this.#taken = []
    return taken
  }

  readonly observer: Observer = {
    instruction: (cpu, insn) => {
      const under = `${insn.mnemonic}@${cpu.mechanism?.name ?? ''}`
      const by = this.#instructions.has(under) ? under : insn.mnemonic
      const explainer = this.#instructions.get(by)
      this.#instruction =
        explainer === undefined
          ? undefined
          : { about: insn.text, by, explainer, cpu, plan: explainer.plan(cpu, insn, this.#names(cpu)) }
    },
    delivering: (cpu, event) => {
      // A trap after an instruction: that has done what it does.
      if (this.#instruction !== undefined) this.#finish(this.#instruction, cpu)
      this.#instruction = undefined
      this.#delivery = undefined
      const by = cpu.mechanism?.name ?? ''
      const explainer = this.#deliveries.get(by)
      if (explainer === undefined) return
      this.#delivery = { about: eventName(event), by, explainer, plan: explainer.plan(cpu, event, this.#names(cpu)) }
    },
    delivered: (cpu) => {
      if (this.#delivery !== undefined) this.#finish(this.#delivery, cpu)
      this.#delivery = undefined
    },
    fault: (_cpu, fault, during) => {
      const open = during === null ? this.#instruction : this.#delivery
      if (open !== undefined) this.#taken.push(failed(open, fault))
      if (during === null) this.#instruction = undefined
      else this.#delivery = undefined
    },
  }

  #finish({ about, by, explainer, plan }: Open, cpu: Cpu): void {
    this.#taken.push({
      about,
      by,
      title: explainer.title,
      steps: explainer.steps,
      verdicts: explainer.steps.map(({ fault }, n) =>
        plan.idle.has(n) ? 'idle' : fault === undefined ? 'done' : 'passed',
      ),
      words: new Map([...plan.words, ...(plan.after?.(cpu) ?? [])]),
      fault: null,
    })
  }
}

function failed({ about, by, explainer, plan }: Open, fault: Fault): Explanation {
  const at = plan.failedAt(fault)
  const verdict = (n: number, faults: boolean): StepVerdict => {
    if (plan.idle.has(n) && n !== at) return 'idle'
    return n < at ? (faults ? 'passed' : 'done') : n === at ? 'failed' : 'unreached'
  }
  return {
    about,
    by,
    title: explainer.title,
    steps: explainer.steps,
    verdicts: explainer.steps.map((step, n) => verdict(n, step.fault !== undefined)),
    words: new Map([...plan.words].filter(([n]) => n <= at)),
    fault: faultText(fault),
  }
}

function faultText({ vector, errorCode, dataLo, dataHi }: Fault): string {
  const name = `${vectorName(vector)}(${hex(errorCode)})`
  if (vector !== VECTOR_PF) return name
  return `${name} at ${hex((BigInt(dataHi >>> 0) << 32n) | BigInt(dataLo >>> 0))}`
}
