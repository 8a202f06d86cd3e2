import { basename, dirname, resolve } from 'node:path'
import { createMachine, HOSTS, type HostKind } from '@trapframe/core'
import { EXIT_OK, type ExitCode } from '../command/exit.js'
import { suggestion } from '../command/suggest.js'
import { commandPlugins } from '../config/command-plugins.js'
import { UsageError } from '../error/usage-error.js'
import { officialPlugins } from '../session/plugins.js'
import type { Terminal } from '../terminal/terminal.js'
import { scenarioTemplate } from './scenario-template.js'
import { schemaPath } from './schema-path.js'
import { writeFiles } from './write-files.js'

export interface ScenarioOptions {
  /** A path; `.yaml` is added where it is missing. */
  readonly name: string
  readonly host: string
  readonly cpu: string
  readonly modules: readonly string[]
  readonly force: boolean
}

/** Writes a scenario that runs at once. @throws UsageError for an unknown host, and for a file that is there */
export async function initScenario(terminal: Terminal, options: ScenarioOptions): Promise<ExitCode> {
  const { name, host, cpu, modules, force } = options
  const file = /\.ya?ml$/.test(name) ? name : `${name}.yaml`
  const folder = dirname(resolve(file))
  const kind = await findHost(host, cpu, modules)
  const title = basename(file)
    .replace(/\.ya?ml$/, '')
    .replaceAll(/[-_]+/g, ' ')
  const schema = schemaPath(folder, process.cwd())
  const [written] = await writeFiles(
    folder,
    { [basename(file)]: scenarioTemplate({ title, host, cpu, deliveries: kind.deliveries, schema }) },
    force,
  )
  const plugins = modules.map((module) => ` --plugin ${module}`).join('')
  terminal.out.write(`${written}\n\n  trapframe run ${written}${plugins}\n`)
  return EXIT_OK
}

async function findHost(name: string, cpu: string, modules: readonly string[]): Promise<HostKind> {
  const { plugins } = await commandPlugins({ modules })
  const machine = createMachine({ cpu, plugins: [...officialPlugins(), ...plugins] })
  const hosts = machine.contributions(HOSTS)
  const found = hosts.find((one) => one.name === name)?.value
  if (found !== undefined) return found
  const known = hosts.map((one) => one.name)
  throw new UsageError(`there is no host "${name}"`, suggestion(name, known, 'hosts'))
}
