import { EXIT_FAILED, EXIT_OK, type ExitCode } from '../command/exit.js'
import { configOf } from '../config/config-of.js'
import { panicDecoders } from '../decode/plugin.js'
import { toJson } from '../report/json.js'
import { reporters } from '../report/plugin.js'
import { officialPlugins } from '../session/plugins.js'
import { painter } from '../terminal/style.js'
import type { Terminal } from '../terminal/terminal.js'
import { vectorFormats } from '../vectors/plugin.js'
import { drawPlugins } from './draw.js'
import { foundPlugins } from './found-plugins.js'
import { type FoundPlugin, takeInventory } from './inventory.js'

export interface PluginsOptions {
  readonly config: string | undefined
  readonly modules: readonly string[]
  readonly json: boolean
}

/** The plugins that the command itself brings, those of every scenario and those of single commands. */
export function ownPlugins(): FoundPlugin[] {
  return [...officialPlugins(), reporters(), panicDecoders(), vectorFormats()].map((plugin) => ({
    plugin,
    from: plugin.specifier ?? '@trapframe/cli',
  }))
}

/** Lists what is loaded. The exit code is 1 where a plugin does not fit. */
export async function printPlugins(terminal: Terminal, options: PluginsOptions): Promise<ExitCode> {
  const config = await configOf(options.config)
  const more = await foundPlugins(config, options.modules)
  const plugins = takeInventory(ownPlugins(), more)
  const { out } = terminal
  out.write(options.json ? toJson({ plugins }) : drawPlugins(plugins, out.columns ?? 80, painter(out)))
  return plugins.every(({ problem }) => problem === null) ? EXIT_OK : EXIT_FAILED
}
