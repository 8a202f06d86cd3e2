import type { Plugin } from '@trapframe/core'
import { modulesBeside } from '../config/config-modules.js'
import { configPlugins, type LoadedConfig, loadConfig } from '../config/load-config.js'
import { loadPlugins } from '../session/modules.js'
import type { PluginSource } from './pool.js'

/**
 * The plugins that a config and a command line name, beside the official ones. A module that both name is loaded once,
 * as the config says.
 *
 * @param config the config of the source, where it has been read already
 */
export async function pluginsFrom(source: PluginSource, config?: LoadedConfig): Promise<Plugin[]> {
  const known = config ?? (source.config === undefined ? undefined : await loadConfig(source.config))
  const plugins = known === undefined ? [] : await configPlugins(known)
  for (const module of known === undefined ? source.modules : modulesBeside(known, source.modules)) {
    for (const plugin of await loadPlugins(module, process.cwd())) {
      if (!plugins.includes(plugin)) plugins.push(plugin)
    }
  }
  return plugins
}
