import type { ArgDef, ArgsDef } from 'citty'
import { COMMON_OPTIONS } from '../command/arguments.js'
import type { CommandEntry } from '../command/entry.js'
import { OWN_REPORTERS } from '../report/plugin.js'
import { SHELLS } from './shells.js'

/** What stands behind an option or after a command: nothing, any text, a file, or one of these words. */
export type Taken = 'nothing' | 'text' | 'file' | readonly string[]

/** An option as shells complete it. */
export interface CompletedOption {
  readonly name: string
  readonly short: string | undefined
  readonly summary: string
  readonly takes: Taken
}

/** A command as shells complete it. */
export interface CompletedCommand {
  readonly name: string
  readonly summary: string
  readonly options: readonly CompletedOption[]
  readonly operands: Taken
}

/** Words that a command knows for a value, where its definition does not list them. */
const WORDS: Readonly<Record<string, readonly string[]>> = { reporter: Object.keys(OWN_REPORTERS) }

/** Every command with its options, from the same definitions that read the command line. */
export async function completedCommands(commands: Readonly<Record<string, CommandEntry>>): Promise<CompletedCommand[]> {
  return Promise.all(
    Object.entries(commands).map(async ([name, entry]) => {
      const definition = ((await entry.load()).args ?? {}) as ArgsDef
      const options = Object.entries(definition).flatMap(([option, argument]) =>
        argument.type === 'positional' ? [] : [completedOption(option, argument)],
      )
      const help = {
        name: COMMON_OPTIONS[0],
        short: undefined,
        summary: 'the page of the command',
        takes: 'nothing' as const,
      }
      return { name, summary: entry.summary, options: [...options, help], operands: operandsOf(entry) }
    }),
  )
}

function completedOption(name: string, argument: ArgDef): CompletedOption {
  const aliases = 'alias' in argument && argument.alias !== undefined ? [argument.alias].flat() : []
  return {
    name,
    short: aliases.find((alias) => alias.length === 1),
    summary: argument.description ?? '',
    takes: takenBy(name, argument),
  }
}

function takenBy(name: string, argument: ArgDef): Taken {
  if (argument.type === 'boolean') return 'nothing'
  if (argument.type === 'enum' && argument.options) return argument.options
  if (Object.hasOwn(WORDS, name)) return WORDS[name]!
  return /FILE|MODULE|PATH|FOLDER/.test(argument.valueHint ?? '') ? 'file' : 'text'
}

function operandsOf({ operands }: CommandEntry): Taken {
  if (operands === '') return 'nothing'
  if (operands === 'SHELL') return SHELLS
  return operands.includes('FILE') ? 'file' : 'text'
}
