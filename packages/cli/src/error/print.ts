import { UserError } from '@trapframe/core'
import { EXIT_DEFECT, EXIT_MISUSE, type ExitCode } from '../command/exit.js'
import { painter } from '../terminal/style.js'
import type { Output } from '../terminal/terminal.js'
import { errorFrame } from './frame.js'
import { readSource, ScenarioErrors } from './scenario-error.js'

/**
 * Tells a person what went wrong, and returns the exit code. A {@link UserError} is told in their terms, with the lines
 * of their file; anything else is a defect of trapframe, and is told with its stack.
 */
export async function printError(error: unknown, output: Output): Promise<ExitCode> {
  const paint = painter(output)
  if (error instanceof ScenarioErrors) {
    for (const one of error.errors)
      output.write(`${errorFrame(one, await readSource(one.place?.file, error), paint)}\n`)
    return EXIT_MISUSE
  }
  if (error instanceof UserError) {
    output.write(`${errorFrame(error, await readSource(error.place?.file), paint)}\n`)
    return EXIT_MISUSE
  }
  output.write(
    `${paint('bad', 'internal error')}: this is a defect of trapframe, not of what you gave it. Please report it with\n` +
      `the command line, the file and this:\n\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
  return EXIT_DEFECT
}
