import { UsageError } from '../error/usage-error.js'
import { evaluate, parseQuantity, QuantityError } from '../scenario/quantity.js'

/** The address that a quantity stands for: `handler_nmi+8`. @throws UsageError for an unknown label, or what is none */
export function addressOf(labels: ReadonlyMap<string, bigint>, written: string, what: string): bigint {
  try {
    return evaluate(parseQuantity(written), labels)
  } catch (error) {
    if (!(error instanceof QuantityError)) throw error
    throw new UsageError(`${what}: ${error.message}`, error.hint, error)
  }
}
