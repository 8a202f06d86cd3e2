import type { Plugin } from '@trapframe/core'
import { pluginsFrom } from '../run/plugins-from.js'
import { configOf } from './config-of.js'

/** What a command that makes machines is given about plugins. */
export interface PluginRequest {
  /** Modules that the command line names. */
  readonly modules?: readonly string[]
  /** The config file; left out, the nearest one. */
  readonly config?: string | undefined
}

/** The plugins of the config and of the command line, and whether scenarios may load theirs. */
export async function commandPlugins(request: PluginRequest): Promise<{ plugins: Plugin[]; allowPlugins: boolean }> {
  const config = await configOf(request.config)
  const plugins = await pluginsFrom({ modules: request.modules ?? [] }, config)
  return { plugins, allowPlugins: config.settings.allowPlugins === true }
}
