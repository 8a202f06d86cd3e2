import { type Place, UserError } from '@trapframe/core'
import { ScenarioErrors } from './scenario-error.js'

/** A person's mistake without its class, fit to be sent from one thread to another. */
export interface PlainError {
  readonly code: string
  readonly message: string
  readonly place?: Place | undefined
  readonly hint?: string | undefined
  /** Where several mistakes of one file are told together. */
  readonly many?: { readonly file: string; readonly source: string; readonly errors: readonly PlainError[] }
}

export function plainError(error: UserError): PlainError {
  const { code, message, place, hint } = error
  if (!(error instanceof ScenarioErrors)) return { code, message, place, hint }
  const { file, source, errors } = error
  return { code, message, place, hint, many: { file, source, errors: errors.map(plainError) } }
}

/** The error again, for reports. */
export function userError({ code, message, place, hint, many }: PlainError): UserError {
  if (many !== undefined) return new ScenarioErrors(many.file, many.source, many.errors.map(userError))
  return new UserError(code, message, {
    ...(place === undefined ? {} : { place }),
    ...(hint === undefined ? {} : { hint }),
  })
}
