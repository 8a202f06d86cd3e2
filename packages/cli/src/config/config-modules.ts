import { isPlugin, locate } from '../session/modules.js'
import type { PluginEntry } from './config.js'
import type { LoadedConfig } from './load-config.js'

/** The module that an entry of a config names; undefined for a plugin that stands in the config itself. */
export const moduleOf = (entry: PluginEntry): string | undefined =>
  isPlugin(entry) ? undefined : typeof entry === 'string' ? entry : entry[0]

/** Of modules that a command line names, those that the config does not name too: a module is loaded once. */
export function modulesBeside({ settings, folder }: LoadedConfig, modules: readonly string[]): readonly string[] {
  const known = new Set(
    (settings.plugins ?? []).flatMap((entry) => {
      const module = moduleOf(entry)
      return module === undefined ? [] : [locate(module, folder)]
    }),
  )
  return modules.filter((module) => !known.has(locate(module, process.cwd())))
}
