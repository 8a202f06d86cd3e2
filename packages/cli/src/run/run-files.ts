import { type Plugin, UserError } from '@trapframe/core'
import { EXIT_FAILED, EXIT_MISUSE, EXIT_OK, type ExitCode } from '../command/exit.js'
import { printError } from '../error/print.js'
import { runObject, toJson, type Unreadable, unreadable } from '../report/json.js'
import { prettyScenario, prettyTotals } from '../report/pretty.js'
import { type ScenarioResult, totalsOf } from '../report/result.js'
import { parseScenario } from '../scenario/parse.js'
import { loadPlugins } from '../session/modules.js'
import { openScenario } from '../session/open.js'
import { runCell } from '../session/run-cell.js'
import { painter } from '../terminal/style.js'
import type { Terminal } from '../terminal/terminal.js'
import { readScenario, scenarioFiles } from './files.js'
import { judge } from './judge.js'

export interface RunFilesOptions {
  readonly json?: boolean
  readonly check?: boolean
  /** Plugin modules, relative to the working folder. */
  readonly modules?: readonly string[]
  readonly allowPlugins?: boolean
}

/**
 * Runs scenarios one after the other. One that cannot be read does not keep the others from running.
 *
 * @throws UserError where the command line itself is wrong
 */
export async function runFiles(
  operands: readonly string[],
  { out, err }: Terminal,
  { json = false, check = false, modules = [], allowPlugins = false }: RunFilesOptions = {},
): Promise<ExitCode> {
  const paint = painter(out)
  const plugins: Plugin[] = []
  for (const module of modules) plugins.push(...(await loadPlugins(module, process.cwd())))
  const results: ScenarioResult[] = []
  const unreadables: Unreadable[] = []
  for (const file of await scenarioFiles(operands)) {
    try {
      const result = await runScenario(file, { plugins, allowPlugins, check })
      results.push(result)
      if (!json) out.write(`${prettyScenario(result, paint)}\n`)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      unreadables.push(unreadable(file, error))
      await printError(error, err)
      err.write('\n')
    }
  }
  const totals = totalsOf(results, unreadables.length)
  out.write(json ? toJson(runObject(results, unreadables, totals)) : prettyTotals(totals, paint))
  if (totals.unreadable > 0) return EXIT_MISUSE
  return totals.failed > 0 ? EXIT_FAILED : EXIT_OK
}

/** Runs one scenario file, every cell of it. @throws UserError when it cannot be read or meets a limit of the model */
export async function runScenario(
  file: string,
  options: { readonly plugins?: readonly Plugin[]; readonly allowPlugins?: boolean; readonly check?: boolean } = {},
): Promise<ScenarioResult> {
  const scenario = parseScenario(file, await readScenario(file))
  const cells = await openScenario(scenario, options)
  const { check = false } = options
  return { file, name: scenario.name, cells: cells.map((cell) => judge(cell, runCell(cell, { check }))) }
}
