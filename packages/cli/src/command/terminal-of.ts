import type { CommandContext } from 'citty'
import { processTerminal, type Terminal } from '../terminal/terminal.js'

/** The terminal that a command was given, or that of the process. */
// biome-ignore lint/suspicious/noExplicitAny: commands of all argument types, as in citty's own signature
export function terminalOf(context: Pick<CommandContext<any>, 'data'>): Terminal {
  return (context.data as Terminal | undefined) ?? processTerminal()
}
