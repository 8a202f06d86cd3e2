import { moduleOf, modulesBeside } from '../config/config-modules.js'
import { configEntries, type LoadedConfig } from '../config/load-config.js'
import { loadPlugins } from '../session/modules.js'
import type { FoundPlugin } from './inventory.js'

/** The plugins that a config and a command line name, each with where it was named. What both name comes once. */
export async function foundPlugins(config: LoadedConfig, modules: readonly string[]): Promise<FoundPlugin[]> {
  const found: FoundPlugin[] = []
  for (const { entry, plugins } of await configEntries(config)) {
    const module = moduleOf(entry)
    const from = module === undefined ? config.file! : `${module} (${config.file})`
    for (const plugin of plugins) found.push({ plugin, from })
  }
  for (const module of modulesBeside(config, modules)) {
    for (const plugin of await loadPlugins(module, process.cwd())) found.push({ plugin, from: module })
  }
  return found
}
