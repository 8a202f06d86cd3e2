import type { Ran } from '../run/run-files.js'
import { selectionOf } from '../run/selection.js'
import type { Terminal } from '../terminal/terminal.js'
import { type Closer, lookCloser } from './look-closer.js'

/** The options of `run` that decide what is run, and with what. */
export interface RunChoices {
  readonly modules: readonly string[]
  readonly allowPlugins: boolean
  readonly allowFiles: boolean
  readonly seconds: number | undefined
  readonly filters: readonly string[]
  readonly cells: readonly string[]
}

/** Looks closer at what `run` has run. @throws UsageError where the page cannot be written */
export async function lookCloserAtRun(
  ran: Ran,
  terminal: Terminal,
  closer: Closer,
  choices: RunChoices,
): Promise<void> {
  const { config, results } = ran
  const { pluginsFrom } = await import('../run/plugins-from.js')
  const files = results.flatMap(({ file, cells }) => (cells.length > 0 ? [file] : []))
  await lookCloser(files, terminal, closer, {
    plugins: await pluginsFrom({ modules: choices.modules, config: config.file }, config),
    allowPlugins: choices.allowPlugins || config.settings.allowPlugins === true,
    allowFiles: choices.allowFiles,
    seconds: choices.seconds,
    selection: selectionOf(choices.filters, choices.cells),
    mostSteps: config.settings.limits?.steps,
  })
}
