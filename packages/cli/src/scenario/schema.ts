import { z } from 'zod'
import { parseQuantity, type Quantity, QuantityError } from './quantity.js'

/**
 * The small types that the grammar is made of. YAML's integers arrive as `bigint`; what a schema refuses is told by
 * `issues.ts`.
 */

/** A whole number in a range, as a `number`. */
export function integer(least: number, most: number): z.ZodType<number, bigint> {
  return z.bigint().gte(BigInt(least)).lte(BigInt(most)).transform(Number)
}

/** Text that is not empty. */
export const text = z.string().min(1)

/** One, or a list of at least one. */
export function oneOrMore<Item, Input>(item: z.ZodType<Item, Input>): z.ZodType<readonly Item[], Input | Input[]> {
  return z.union([item.transform((one) => [one]), z.array(item).min(1)])
}

/** The key of metadata that names a definition which schemas share: see `json-schema.ts`. */
export const SHARED = 'x-shared'

/** A number, a label, or a sum of those. */
export const quantity: z.ZodType<Quantity> = z
  .unknown()
  .transform((input, context) => {
    try {
      return parseQuantity(input)
    } catch (error) {
      if (!(error instanceof QuantityError)) throw error
      context.addIssue({ code: 'custom', message: error.message, params: { hint: error.hint } })
      return z.NEVER
    }
  })
  .meta({ [SHARED]: 'quantity' })

/** A value on an axis of the matrix. */
export const axisValue = z.union([z.string(), z.bigint(), z.boolean(), z.number()])

/** Axes with the values that are meant, one or a list. */
export const condition = z.record(z.string(), oneOrMore(axisValue)).meta({ [SHARED]: 'condition' })
