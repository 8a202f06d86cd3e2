import type { ScenarioResult } from '../report/result.js'
import { type OpenOptions, openScenario } from '../session/open.js'
import { runCell } from '../session/run-cell.js'
import { judge } from './judge.js'
import { loadScenario } from './load-scenario.js'

/** Runs one scenario file, every cell of it. @throws UserError when it cannot be read or meets a limit of the model */
export async function runScenario(
  file: string,
  options: OpenOptions & { readonly check?: boolean } = {},
): Promise<ScenarioResult> {
  const { scenario } = await loadScenario(file)
  const cells = await openScenario(scenario, options)
  const { check = false } = options
  return { file, name: scenario.name, cells: cells.map((cell) => judge(cell, runCell(cell, { check }))) }
}
