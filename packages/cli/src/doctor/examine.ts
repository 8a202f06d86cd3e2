import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Plugin, UserError } from '@trapframe/core'
import { moduleOf } from '../config/config-modules.js'
import { configOf } from '../config/config-of.js'
import { type LoadedConfig, NO_CONFIG } from '../config/load-config.js'
import { ScenarioErrors } from '../error/scenario-error.js'
import { foundPlugins } from '../plugins/found-plugins.js'
import { type FoundPlugin, takeInventory } from '../plugins/inventory.js'
import { ownPlugins } from '../plugins/print-plugins.js'
import { locate } from '../session/modules.js'
import type { Terminal } from '../terminal/terminal.js'
import type { Finding } from './finding.js'
import { type CoreUser, examineCore, examinePackages, ownPackage } from './packages.js'
import { examineSchemas } from './schemas.js'
import { examineNode, examinePrograms, examineTerminal } from './surroundings.js'

export interface DoctorRequest {
  readonly config: string | undefined
  readonly modules: readonly string[]
}

/** Everything that is looked at, in the order of reports. Looks only; a mistake in one thing does not hide the next. */
export async function examine(
  terminal: Terminal,
  { config: given, modules }: DoctorRequest,
): Promise<readonly Finding[]> {
  const own = ownPackage()
  const findings: Finding[] = [examineNode(own), ...examinePackages(own)]
  const config = await attempt('config', findings, () => configOf(given), NO_CONFIG)
  findings.push(examineCore(own, coreUsers(config, modules)))
  if (config.file !== undefined) findings.push({ what: 'config', health: 'good', message: config.file })
  else if (!findings.some(({ what }) => what === 'config'))
    findings.push({ what: 'config', health: 'note', message: 'none; a trapframe.config.ts is optional' })
  const plugins = await attempt('plugins', findings, () => foundPlugins(config, modules), [] as FoundPlugin[])
  const fitting = examinePlugins(plugins, findings)
  const schemas = await attempt('schema', findings, () => examineSchemas(config, fitting), [])
  return [...findings, ...schemas, examineTerminal(terminal), ...examinePrograms(terminal.environment)]
}

/** Does something that a person's mistake may end, which is then a finding. */
async function attempt<T>(what: string, findings: Finding[], action: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    for (const one of error instanceof ScenarioErrors ? error.errors : [error]) {
      const { place, message, hint } = one
      const at = place === undefined ? '' : `${place.file ?? ''}:${place.line}:${place.column}  `
      findings.push({ what, health: 'bad', message: at + message, ...(hint === undefined ? {} : { hint }) })
    }
    return otherwise
  }
}

/** The folders whose core counts: the config's, and that of each plugin's module. */
function coreUsers(config: LoadedConfig, modules: readonly string[]): readonly CoreUser[] {
  const named = [
    ...(config.settings.plugins ?? []).flatMap((entry) => {
      const module = moduleOf(entry)
      return module === undefined ? [] : [{ module, from: config.folder }]
    }),
    ...modules.map((module) => ({ module, from: process.cwd() })),
  ]
  return named.flatMap(({ module, from }) => {
    const url = locate(module, from)
    return url.startsWith('file:') ? [{ name: `plugin ${module}`, folder: dirname(fileURLToPath(url)) }] : []
  })
}

/** Tells which plugins fit, and gives those. */
function examinePlugins(found: readonly FoundPlugin[], findings: Finding[]): readonly Plugin[] {
  const own = ownPlugins()
  const inventory = takeInventory(own, found).slice(own.length)
  for (const { plugin, from, problem } of inventory) {
    if (problem === null) findings.push({ what: 'plugins', health: 'good', message: `${plugin}, from ${from}` })
    else {
      const hint = problem.hint === null ? {} : { hint: problem.hint }
      findings.push({ what: 'plugins', health: 'bad', message: `${problem.message} (from ${from})`, ...hint })
    }
  }
  if (inventory.length === 0 && !findings.some(({ what }) => what === 'plugins'))
    findings.push({ what: 'plugins', health: 'note', message: "none beside trapframe's own" })
  return found.filter((_one, i) => inventory[i]!.problem === null).map(({ plugin }) => plugin)
}
