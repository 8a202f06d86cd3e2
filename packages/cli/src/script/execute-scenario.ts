import { readScenario } from '../run/files.js'
import type { LoadedScenario } from '../run/load-scenario.js'
import { scenarioOf } from '../scenario/parse.js'
import { loadScript } from './load-script.js'
import { plainData } from './plain-data.js'

/**
 * Executes a scenario that is written in TypeScript, and reads what it exports by default as a YAML file is read.
 *
 * @throws ScenarioErrors with every mistake that was found, at its place in the source
 */
export async function executeScenario(file: string): Promise<LoadedScenario> {
  const { data, places, files } = await loadScript(file, await readScenario(file), 'scenario')
  return { scenario: scenarioOf({ data: plainData(data), places }), files }
}
