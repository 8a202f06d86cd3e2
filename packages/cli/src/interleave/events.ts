import type { Machine } from '@trapframe/core'
import { suggestion } from '../command/suggest.js'
import { UsageError } from '../error/usage-error.js'
import { INJECTIONS, type InjectionVerb } from '../verbs/slots.js'

/** An event that is injected at every boundary. */
export interface Disturbance {
  readonly verb: InjectionVerb
  readonly value: unknown
  /** What reports call it: `NMI`. */
  readonly name: string
}

/** The events that a command line names. @throws UsageError for one that is unknown, or that needs more than its name */
export function disturbances(machine: Machine, names: readonly string[]): readonly Disturbance[] {
  const verbs = machine.contributions(INJECTIONS)
  return [...new Set(names)].map((name) => {
    const verb = verbs.find((one) => one.name === name)?.value as InjectionVerb | undefined
    if (verb === undefined) {
      const known = verbs.map((one) => one.name)
      throw new UsageError(`--events: unknown event "${name}"`, suggestion(name, known, 'events'))
    }
    const { success, data } = verb.schema.safeParse({})
    if (!success) {
      throw new UsageError(`--events: "${name}" needs more than its name`, 'write it into the scenario, under "inject"')
    }
    return { verb, value: data, name: verb.describe(data) }
  })
}
