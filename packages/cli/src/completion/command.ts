import { defineCommand } from 'citty'
import type { CommandEntry } from '../command/entry.js'
import { EXIT_OK, type ExitCode } from '../command/exit.js'
import { suggestion } from '../command/suggest.js'
import { terminalOf } from '../command/terminal-of.js'
import { UsageError } from '../error/usage-error.js'
import { bashCompletion } from './bash.js'
import type { CompletedCommand } from './commands.js'
import { fishCompletion } from './fish.js'
import { SHELLS, type Shell } from './shells.js'
import { zshCompletion } from './zsh.js'

const WRITERS: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
}

/** `trapframe completion SHELL`. @param commands what it completes: the tree that it is a part of */
export const completionCommand = (commands: Readonly<Record<string, CommandEntry>>) =>
  defineCommand({
    meta: { name: 'completion', description: 'A script that completes command lines' },
    async run(context): Promise<ExitCode> {
      const shell = (context.args as unknown as { readonly _: readonly string[] })._[0]!
      if (!SHELLS.includes(shell as Shell)) {
        throw new UsageError(`there is no completion for "${shell}"`, suggestion(shell, SHELLS, 'shells'))
      }
      const { completedCommands } = await import('./commands.js')
      terminalOf(context).out.write(WRITERS[shell as Shell](await completedCommands(commands)))
      return EXIT_OK
    },
  })
