import type { z } from 'zod'
import type { EXPLORE } from '../scenario/explore-section.js'
import type { FILE, INJECTION, MACHINE, MODIFIERS, MOMENT, START } from '../scenario/grammar.js'

/** A text that stands for the cell's value of an axis: `${delivery}`. */
export type AxisReference = `\${${string}}`

/** What a person writes for a schema's input: numbers for integers, and an axis wherever a cell's value is wanted. */
type Written<Value> = unknown extends Value
  ? unknown
  : Value extends bigint
    ? bigint | number | AxisReference
    : Value extends boolean
      ? Value | AxisReference
      : Value extends string
        ? Value | AxisReference
        : Value extends number | null | undefined
          ? Value
          : { readonly [Key in keyof Value]: Written<Value[Key]> }

/** The same without axes, for what is read before there are cells. */
type Plain<Value> = unknown extends Value
  ? unknown
  : Value extends bigint
    ? bigint | number
    : Value extends string | boolean | number | null | undefined
      ? Value
      : { readonly [Key in keyof Value]: Plain<Value[Key]> }

/** A value on an axis of the matrix. */
type AxisInput = string | number | bigint | boolean

/** Axes with the values that are meant, one or a list. */
export type ConditionInput = Readonly<Record<string, AxisInput | readonly AxisInput[]>>

interface Conditions {
  readonly when?: ConditionInput
  readonly unless?: ConditionInput
}

/** A number, a label, or a sum of those: `0x7fff_0000`, `handler+8`. */
export type QuantityInput = number | bigint | string

/** An entry of `setup` or `expect`: its verbs, and the cells and the CPU that it is for. */
export interface ClauseInput
  extends Conditions,
    Written<Omit<z.input<z.ZodObject<typeof MODIFIERS>>, 'when' | 'unless'>> {
  readonly [verb: string]: unknown
}

/** An entry of `inject`. */
export interface InjectionInput extends Conditions, Written<Pick<z.input<typeof INJECTION>, 'event'>> {
  readonly at: Written<Omit<z.input<typeof MOMENT>, 'address'>> & { readonly address?: QuantityInput }
  /** What the event needs beside, such as `vector`. */
  readonly [key: string]: unknown
}

/** What a search must find, and the cells that this is for. */
export interface SearchInput extends Conditions {
  readonly violates?: string | readonly string[]
  readonly keeps?: string | readonly string[]
  readonly events?: number
  readonly complete?: boolean
}

/** A scenario as `defineScenario` takes it: the keys of the YAML form, with their types. */
export interface ScenarioInput
  extends Plain<
    Omit<z.input<typeof FILE>, 'matrix' | 'exclude' | 'machine' | 'start' | 'setup' | 'inject' | 'expect' | 'explore'>
  > {
  readonly matrix?: Readonly<Record<string, readonly AxisInput[]>>
  readonly exclude?: readonly ConditionInput[]
  readonly machine?: Written<z.input<typeof MACHINE>>
  readonly start?: Written<z.input<typeof START>>
  readonly setup?: readonly ClauseInput[]
  readonly inject?: readonly InjectionInput[]
  readonly expect?: readonly ClauseInput[]
  readonly explore?: Written<Omit<z.input<typeof EXPLORE>, 'expect'>> & { readonly expect?: readonly SearchInput[] }
}

/**
 * A scenario in TypeScript, with its types checked by the editor: the default export of a `.scenario.ts` file. Unlike a
 * YAML file, such a file is code that runs when it is read.
 */
export function defineScenario(scenario: ScenarioInput): ScenarioInput {
  return scenario
}
