import { PluginError } from '../error.js'

/**
 * How the answers of several plugins combine: `one` wants exactly one, `first` takes the one of highest precedence (a
 * tie is an error), `all` keeps all, by name.
 */
export type Combine = 'one' | 'first' | 'all'

/** A typed place where plugins decide something. Declared by the package that owns `T`; its identity is its name. */
export interface Slot<T> {
  readonly name: string
  readonly combine: Combine
  /** Only carries the type. */
  readonly value?: T
}

/** Declares a slot, such as `explore/invariants`. */
export function defineSlot<T>(name: string, combine: Combine): Slot<T> {
  return { name, combine }
}

/** One plugin's answer. */
export interface Contribution<T> {
  readonly name: string
  readonly value: T
  readonly plugin: string
  readonly precedence: number
}

/** What all plugins of a machine put into slots. */
export class Contributions {
  readonly #bySlot = new Map<string, Contribution<unknown>[]>()

  /** @throws PluginError when the name is taken in this slot, or the slot wants one answer and has it */
  add<T>(slot: Slot<T>, contribution: Contribution<T>): void {
    const list = this.#bySlot.get(slot.name) ?? []
    const clash = list.find(
      (other) =>
        other.name === contribution.name ||
        slot.combine === 'one' ||
        (slot.combine === 'first' && other.precedence === contribution.precedence),
    )
    if (clash) {
      const what =
        clash.name === contribution.name
          ? `"${contribution.name}"`
          : slot.combine === 'one'
            ? `an answer ("${clash.name}" and "${contribution.name}"), and there can be one only`
            : `an answer of precedence ${contribution.precedence} ("${clash.name}" and "${contribution.name}")`
      throw new PluginError(
        'slot-clash',
        `plugins "${clash.plugin}" and "${contribution.plugin}" both give slot "${slot.name}" ${what}`,
      )
    }
    list.push(contribution)
    list.sort((a, b) => b.precedence - a.precedence || (a.name < b.name ? -1 : 1))
    this.#bySlot.set(slot.name, list)
  }

  /** All answers, by falling precedence, then by name. */
  all<T>(slot: Slot<T>): readonly Contribution<T>[] {
    return (this.#bySlot.get(slot.name) ?? []) as Contribution<T>[]
  }

  /** The answer that counts, or undefined when no plugin gave one. */
  first<T>(slot: Slot<T>): T | undefined {
    return this.all(slot)[0]?.value
  }

  get<T>(slot: Slot<T>, name: string): T | undefined {
    return this.all(slot).find((contribution) => contribution.name === name)?.value
  }
}
