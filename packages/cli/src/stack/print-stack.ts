import { EXIT_OK, type ExitCode } from '../command/exit.js'
import { parseOption } from '../command/host-option.js'
import { commandPlugins, type PluginRequest } from '../config/command-plugins.js'
import { UsageError } from '../error/usage-error.js'
import { toJson } from '../report/json.js'
import { MACHINE } from '../scenario/grammar.js'
import { bootMachine } from '../session/machine.js'
import { officialPlugins } from '../session/plugins.js'
import { painter } from '../terminal/style.js'
import type { Terminal } from '../terminal/terminal.js'
import { drawStackMap } from './draw.js'

export interface StackOptions extends PluginRequest {
  readonly cpu: string
  readonly host: string
  readonly delivery: string | undefined
  readonly revision: string | undefined
  /** `name=value`, as the command line has them. */
  readonly options: readonly string[]
  readonly json: boolean
}

/** Boots the host and prints the stack map that it reads back. @throws UsageError when the machine cannot be had */
export async function printStack(terminal: Terminal, options: StackOptions): Promise<ExitCode> {
  const { cpu, host, delivery, revision, json } = options
  const { plugins: others } = await commandPlugins(options)
  const spec = MACHINE.parse({
    cpu,
    host,
    ...(delivery === undefined ? {} : { delivery }),
    ...(revision === undefined ? {} : { revision }),
    options: Object.fromEntries(options.options.map(parseOption)),
  })
  const booted = bootMachine(spec, [...officialPlugins(), ...others])
  if (!('machine' in booted)) throw new UsageError(booted[0]!.message, booted[0]!.hint)
  const map = booted.boot.stackMap(booted.machine.cpu)
  const about = { cpu, host, ...(revision === undefined ? {} : { revision }), reasons: booted.boot.reasons }
  terminal.out.write(json ? toJson({ ...about, map }) : drawStackMap(map, about, painter(terminal.out)))
  return EXIT_OK
}
