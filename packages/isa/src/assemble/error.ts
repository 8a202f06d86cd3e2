import { type Place, UserError } from '@trapframe/core'

/** What can be wrong with a source; the error's `code` is `assembly-` and one of these. */
export type AssemblyFault =
  | 'syntax'
  | 'number'
  | 'unknown-instruction'
  | 'unknown-symbol'
  | 'duplicate-label'
  | 'operands'
  | 'ambiguous-size'
  | 'out-of-range'
  | 'mode'
  | 'encoding'
  | 'too-big'
  | 'unsettled'

/** A source that cannot be assembled, with the place of the offence and, where there is one, what to write instead. */
export class AssemblyError extends UserError {
  constructor(fault: AssemblyFault, message: string, place: Place, hint?: string) {
    super(`assembly-${fault}`, message, hint === undefined ? { place } : { place, hint })
  }
}

/** The stretch from one place to another on the same line. */
export function covering(first: Place, last: Place): Place {
  return { ...first, length: last.column + (last.length ?? 1) - first.column }
}
