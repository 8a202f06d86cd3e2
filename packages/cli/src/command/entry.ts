import type { CommandDef } from 'citty'

/** A command as the list of commands knows it: light, so that help and mistakes cost nothing. */
export interface CommandEntry {
  readonly summary: string
  /** How the operands are written: `FILE…`. */
  readonly operands: string
  /** How many operands there must be, and may be. */
  readonly count: readonly [least: number, most: number]
  /** Command line, and what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[]
  // biome-ignore lint/suspicious/noExplicitAny: commands of all argument types, as in citty's own signature
  load(): Promise<CommandDef<any>>
}
