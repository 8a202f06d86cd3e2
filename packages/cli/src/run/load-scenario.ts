import { resolve } from 'node:path'
import { parseScenario } from '../scenario/parse.js'
import type { Scenario } from '../scenario/scenario.js'
import { folderOf, modulePath } from '../session/modules.js'
import { isTypeScript, readScenario } from './files.js'

/** A scenario with the other files that it is made of. */
export interface LoadedScenario {
  readonly scenario: Scenario
  readonly files: readonly string[]
}

/**
 * Reads a scenario file of either form. One in TypeScript is executed: only call this for a file that a person named.
 *
 * @throws ScenarioErrors with every mistake that was found, UsageError for a file that cannot be read
 */
export async function loadScenario(file: string): Promise<LoadedScenario> {
  if (!isTypeScript(file)) {
    const scenario = parseScenario(file, await readScenario(file))
    return { scenario, files: filesOf(scenario) }
  }
  const { executeScenario } = await import('../script/execute-scenario.js')
  const { scenario, files } = await executeScenario(file)
  return { scenario, files: [...files, ...filesOf(scenario)] }
}

/** The images and plugins that a scenario names by path. */
function filesOf({ file, programs, cells }: Scenario): string[] {
  const folder = folderOf(file)
  const images = Object.values(programs).flatMap((program) => ('elf' in program ? [resolve(folder, program.elf)] : []))
  const plugins = new Set(cells.flatMap(({ machine }) => machine.plugins))
  return [...images, ...[...plugins].flatMap((module) => modulePath(module, folder) ?? [])]
}
