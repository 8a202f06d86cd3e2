import { EXIT_OK, type ExitCode } from '../command/exit.js'
import { parseOption } from '../command/host-option.js'
import { commandPlugins, type PluginRequest } from '../config/command-plugins.js'
import { toJson } from '../report/json.js'
import { painter } from '../terminal/style.js'
import type { Terminal } from '../terminal/terminal.js'
import { drawBoot } from './draw.js'
import { readBoot } from './read-boot.js'

export interface BootOptions extends PluginRequest {
  readonly cpu: string
  readonly cmdline: string | undefined
  readonly revision: string | undefined
  readonly host: string
  /** `name=value`, as the command line has them. */
  readonly options: readonly string[]
  readonly json: boolean
}

/** Boots the host and prints what it decided and programmed. @throws UsageError when the machine cannot be had */
export async function printBoot(terminal: Terminal, options: BootOptions): Promise<ExitCode> {
  const { cpu, cmdline, revision, host, json } = options
  const { plugins } = await commandPlugins(options)
  const report = readBoot({
    cpu,
    host,
    plugins,
    options: Object.fromEntries(options.options.map(parseOption)),
    ...(cmdline === undefined ? {} : { cmdline }),
    ...(revision === undefined ? {} : { revision }),
  })
  terminal.out.write(json ? toJson(report) : drawBoot(report, painter(terminal.out)))
  return EXIT_OK
}
