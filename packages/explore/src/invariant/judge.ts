import { type Boot, type Cpu, type Machine, MachineError, type StackMap } from '@trapframe/core'
import type { Clobber } from '../ghost/frame.js'
import { clobberOf, framesBefore, framesDelivered, type LiveFrame, liveFrames } from '../ghost/frame.js'
import { type ReturnedFrame, returnedFrame, type StepNotes, stepNotes } from '../ghost/notes.js'
import { CLOBBERED, COUNT, ghostSlot, NOTED, RETURNED } from '../ghost/region.js'
import { settleAt } from '../ghost/settle.js'
import { INVARIANTS, type Invariant, type InvariantContext, type Violation } from './invariant.js'

const NONE: readonly never[] = []

/**
 * Judges the steps of a machine: selects the invariants once, and asks them after each step. Stack maps are read when they
 * are first needed, once: a judge is good while the host's stacks stay where they are.
 */
export class Judge {
  readonly invariants: readonly Invariant[]
  /** Those of them that are asked for a CPU to which nothing happened. */
  readonly #everywhere: readonly Invariant[]
  readonly #contexts: readonly StepContext[]

  /**
   * @param names which invariants count; all of them where it is left out
   * @param besides others that count as well
   * @throws MachineError for a name that no plugin contributes, or on a machine without explore
   */
  constructor(machine: Machine, boot: Boot, names?: readonly string[], besides: readonly Invariant[] = []) {
    this.invariants = [...selectInvariants(machine, names), ...besides]
    this.#everywhere = this.invariants.filter(({ local }) => local !== true)
    this.#contexts = machine.cpus.map((cpu) => new StepContext(machine, cpu, boot))
  }

  /** What is violated now; to be asked once after each step, before {@link settle}. */
  judge(): readonly Violation[] {
    let found: Violation[] | null = null
    for (let i = 0; i < this.#contexts.length; i++) {
      const context = this.#contexts[i]!
      const quiet = context.cpu.words[context.ghost + NOTED] === 0
      const invariants = quiet ? this.#everywhere : this.invariants
      if (invariants.length === 0) continue
      context.begin()
      for (let n = 0; n < invariants.length; n++) {
        const violation = invariants[n]!.check(context)
        if (violation !== null) {
          found ??= []
          found.push(violation)
        }
      }
    }
    return found ?? NONE
  }

  /** Stack maps are read anew when they are needed next: the host may have moved its stacks. */
  readStacksAgain(): void {
    for (const context of this.#contexts) context.forgetStacks()
  }

  /** First word of the ghost region, the same for every CPU. */
  get ghost(): number {
    return this.#contexts[0]!.ghost
  }

  /** Whether a CPU left a handler in this step. */
  returned(): boolean {
    return this.#contexts.some(({ cpu, ghost }) => cpu.words[ghost + RETURNED] !== 0)
  }

  /** Ends the step, whether it was judged or not. */
  settle(): void {
    for (let i = 0; i < this.#contexts.length; i++) {
      const { cpu, ghost } = this.#contexts[i]!
      settleAt(cpu, ghost)
    }
  }
}

/** What invariants see, read from the ghost state when they ask: most steps deliver nothing and most invariants ask nothing. */
class StepContext implements InvariantContext {
  readonly machine: Machine
  readonly cpu: Cpu
  readonly boot: Boot
  readonly ghost: number
  readonly notes: StepNotes
  #stacks: StackMap | null = null
  #before: readonly LiveFrame[] | null = null
  #after: readonly LiveFrame[] | null = null
  #delivered: readonly LiveFrame[] | null = null

  constructor(machine: Machine, cpu: Cpu, boot: Boot) {
    this.machine = machine
    this.cpu = cpu
    this.boot = boot
    this.ghost = ghostSlot(cpu)
    this.notes = stepNotes(cpu, this.ghost)
  }

  begin(): void {
    this.#before = null
    this.#after = null
    this.#delivered = null
  }

  forgetStacks(): void {
    this.#stacks = null
  }

  get stacks(): StackMap {
    this.#stacks ??= this.boot.stackMap(this.cpu)
    return this.#stacks
  }

  get before(): readonly LiveFrame[] {
    this.#before ??= this.#any ? framesBefore(this.cpu) : NONE
    return this.#before
  }

  get after(): readonly LiveFrame[] {
    this.#after ??= this.#any ? liveFrames(this.cpu) : NONE
    return this.#after
  }

  get delivered(): readonly LiveFrame[] {
    this.#delivered ??= this.#any ? framesDelivered(this.cpu) : NONE
    return this.#delivered
  }

  get clobber(): Clobber | null {
    return this.cpu.words[this.ghost + CLOBBERED] === 0 ? null : clobberOf(this.cpu)
  }

  get returned(): ReturnedFrame | null {
    return this.cpu.words[this.ghost + RETURNED] === 0 ? null : returnedFrame(this.cpu, this.ghost)
  }

  get #any(): boolean {
    return this.cpu.words[this.ghost + COUNT] !== 0
  }
}

function selectInvariants(machine: Machine, names: readonly string[] | undefined): readonly Invariant[] {
  const all = machine.contributions(INVARIANTS).map(({ value }) => value)
  return names === undefined
    ? all
    : names.map((name) => {
        const invariant = all.find((candidate) => candidate.name === name)
        if (invariant !== undefined) return invariant
        throw new MachineError('unknown-invariant', `unknown invariant "${name}"`, {
          hint: `known are ${all.map((known) => known.name).join(', ')}`,
        })
      })
}
