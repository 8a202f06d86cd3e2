import { type ArgsDef, runCommand } from 'citty'
import { version } from '../package.json'
import { checkArguments } from './command/arguments.js'
import { EXIT_MISUSE, EXIT_OK, type ExitCode } from './command/exit.js'
import { commandHelp, mainHelp } from './command/help.js'
import { suggestion } from './command/suggest.js'
import { COMMANDS } from './command/tree.js'
import { printError } from './error/print.js'
import { UsageError } from './error/usage-error.js'
import { painter } from './terminal/style.js'
import type { Terminal } from './terminal/terminal.js'

/** Runs one command line. Returns the exit code; never throws. */
export async function main(given: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(given, terminal)
  } catch (error) {
    return await printError(error, terminal.err)
  }
}

async function dispatch(given: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const paint = painter(terminal.out)
  const [first, ...rest] = given
  if (first === undefined) {
    terminal.err.write(mainHelp(painter(terminal.err)))
    return EXIT_MISUSE
  }
  if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    terminal.out.write(mainHelp(paint))
    return EXIT_OK
  }
  if (first === '--version' || first === '-v') {
    terminal.out.write(`${version}\n`)
    return EXIT_OK
  }
  const [name, words] = first === 'help' ? [rest[0]!, ['--help']] : [first, rest]
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry === undefined) {
    throw name.startsWith('-')
      ? new UsageError(`unknown option "${name}"`, '"trapframe --help" lists what there is')
      : new UsageError(`unknown command "${name}"`, suggestion(name, Object.keys(COMMANDS), 'commands'))
  }
  const command = await entry.load()
  const definition = (command.args ?? {}) as ArgsDef
  if (beforeOperands(words).some((word) => word === '--help' || word === '-h')) {
    terminal.out.write(commandHelp(name, entry, definition, paint))
    return EXIT_OK
  }
  checkArguments(name, entry, definition, words)
  const { result } = await runCommand(command, { rawArgs: [...words], data: terminal })
  return (result as ExitCode | undefined) ?? ((process.exitCode ?? EXIT_OK) as ExitCode)
}

/** The arguments up to `--`. */
function beforeOperands(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--')
  return end < 0 ? words : words.slice(0, end)
}
