import { MachineError } from '../error.js'
import { type StepResult, step } from '../instruction/step.js'
import type { Machine } from '../machine/machine.js'
import { HAPPENINGS } from '../plugin/plugin.js'
import { TIMEOUTS } from './clock.js'
import { enabledCpus } from './ready.js'

/** What may happen next: a CPU steps, or something outside of the CPUs happens. Data: equal choices in equal states do the same. */
export type Choice =
  | { readonly kind: 'step'; readonly cpu: number }
  /** `timeout`, or what a plugin's source names. */
  | { readonly kind: 'happening'; readonly name: string }

/** What a plugin knows that may happen beside the steps of CPUs, such as the arrival of what was sent. */
export interface HappeningSource {
  /** Names of what may happen now, in a fixed order; unique over all sources. */
  enabled(machine: Machine): readonly string[]
  /** Makes it happen. */
  happen(machine: Machine, name: string): void
}

const byMachine = new WeakMap<Machine, readonly HappeningSource[]>()

/** The sources of a machine, which are fixed when it is made: searches ask for them at every state. */
function sources(machine: Machine): readonly HappeningSource[] {
  let found = byMachine.get(machine)
  if (found === undefined) {
    found = [TIMEOUTS, ...machine.contributions(HAPPENINGS).map(({ value }) => value)]
    byMachine.set(machine, found)
  }
  return found
}

const NONE: readonly string[] = []

/** Names of everything that may happen now beside the steps of CPUs, in a fixed order. */
export function happenings(machine: Machine): readonly string[] {
  let all = NONE
  for (const source of sources(machine)) {
    const names = source.enabled(machine)
    if (names.length > 0) all = all.length === 0 ? names : [...all, ...names]
  }
  return all
}

/** Everything that may happen now: CPUs that can step, rising, then happenings. Empty when the machine has come to rest. */
export function choices(machine: Machine): Choice[] {
  return [
    ...enabledCpus(machine).map((cpu) => ({ kind: 'step', cpu }) as const),
    ...happenings(machine).map((name) => ({ kind: 'happening', name }) as const),
  ]
}

/**
 * Makes a choice happen; the step's result, or null for a happening.
 *
 * @throws MachineError for a happening that cannot happen now
 */
export function choose(machine: Machine, choice: Choice): StepResult | null {
  if (choice.kind === 'step') return step(machine.cpus[choice.cpu]!)
  const source = sources(machine).find((candidate) => candidate.enabled(machine).includes(choice.name))
  if (source === undefined) {
    throw new MachineError('no-such-happening', `"${choice.name}" cannot happen now`, {
      hint: 'choices() lists what can',
    })
  }
  source.happen(machine, choice.name)
  return null
}
