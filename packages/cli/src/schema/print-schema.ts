import { createMachine, type Plugin } from '@trapframe/core'
import { EXIT_OK, type ExitCode } from '../command/exit.js'
import { scenarioSchema } from '../scenario/json-schema.js'
import { loadPlugins } from '../session/modules.js'
import { officialPlugins } from '../session/plugins.js'
import type { Terminal } from '../terminal/terminal.js'

/** Prints the JSON Schema of scenarios. @throws PluginError for plugins that cannot be loaded */
export async function printSchema({ out }: Terminal, modules: readonly string[]): Promise<ExitCode> {
  const plugins: Plugin[] = officialPlugins()
  for (const module of modules) plugins.push(...(await loadPlugins(module, process.cwd())))
  const machine = createMachine({ cpu: 'panther-lake', plugins })
  out.write(`${JSON.stringify(scenarioSchema(machine), null, 2)}\n`)
  return EXIT_OK
}
