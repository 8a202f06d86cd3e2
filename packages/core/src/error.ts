/**
 * The errors that are the user's to mend. They are told apart from a {@link Fault}, which is architecture and part of
 * the simulation, and from everything else, which is a defect of trapframe.
 */

/** A place in a text that the user wrote; lines and columns count from 1. */
export interface Place {
  readonly file?: string
  readonly line: number
  readonly column: number
  /** How many characters the caret underlines; 1 where nothing is known. */
  readonly length?: number
}

/** What an error says beside its message. */
export interface UserErrorOptions {
  readonly place?: Place
  /** What to do about it, as a sentence or a word: `did you mean "syscall"?` */
  readonly hint?: string
  readonly cause?: unknown
}

/** Base of every error that a person can mend by changing what they gave us. `code` is stable and documented. */
export class UserError extends Error {
  readonly code: string
  readonly place: Place | undefined
  readonly hint: string | undefined

  constructor(code: string, message: string, options: UserErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.place = options.place
    this.hint = options.hint
  }
}

/** A plugin that is missing, loaded twice, clashes with another or breaks the contract of a slot. */
export class PluginError extends UserError {}

/** A machine that cannot be assembled or continued as asked: an unknown CPU, a foreign snapshot, no mechanism. */
export class MachineError extends UserError {}

/**
 * The run met something that the model does not implement. It stops there and names it: trapframe never guesses.
 * `what` is the class of thing, for runners that report by field.
 */
export class UnsupportedError extends UserError {
  readonly what: 'instruction' | 'event'

  constructor(what: 'instruction' | 'event', message: string, options: UserErrorOptions = {}) {
    super(`unsupported-${what}`, message, options)
    this.what = what
  }
}
