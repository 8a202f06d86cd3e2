import { UserError } from '@trapframe/core'

/** The command line itself is wrong: a command, option, value or file that does not exist. */
export class UsageError extends UserError {
  constructor(message: string, hint?: string, cause?: unknown) {
    super('usage', message, { ...(hint === undefined ? {} : { hint }), ...(cause === undefined ? {} : { cause }) })
  }
}
