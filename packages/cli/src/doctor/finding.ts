/** How well something stands: `bad` makes the exit code 1, `note` is for information. */
export type Health = 'good' | 'bad' | 'note'

/** One thing that was looked at. */
export interface Finding {
  /** What: `Node.js`, `core`, `config`. */
  readonly what: string
  readonly health: Health
  /** A sentence or a few words. */
  readonly message: string
  /** What to do about it. */
  readonly hint?: string
}
