import type { Plugin } from '@trapframe/core'
import { suggestion } from '../command/suggest.js'
import { ScenarioError } from '../error/scenario-error.js'
import { LIMITS } from '../scenario/limits.js'
import { Problems } from '../scenario/problems.js'
import type { Scenario } from '../scenario/scenario.js'
import { SnapshotStore } from '../snapshot/store.js'
import { Bounds } from './bounds.js'
import { readImages } from './images.js'
import { folderOf, loadPlugins } from './modules.js'
import { officialPlugins } from './plugins.js'
import { type PreparedCell, prepareCell } from './prepare.js'

export interface OpenOptions {
  /** Plugins beside the official ones and the scenario's own. */
  readonly plugins?: readonly Plugin[]
  /** The scenario may load code that it names itself. */
  readonly allowPlugins?: boolean
  /** The scenario may read images that lie outside of its folder. */
  readonly allowFiles?: boolean
  /** What preparing and running all cells may take, from now on. */
  readonly seconds?: number | undefined
  /** Snapshots are rewritten instead of compared. */
  readonly update?: boolean
}

/**
 * Makes a machine for every cell of a scenario, with all that the file says bound to it.
 *
 * @throws ScenarioErrors with every mistake that was found; PluginError for plugins that do not fit together
 */
export async function openScenario(scenario: Scenario, options: OpenOptions = {}): Promise<PreparedCell[]> {
  const problems = new Problems(scenario.places)
  const own = await ownPlugins(scenario, options.allowPlugins === true, problems)
  const images = await readImages(scenario, options.allowFiles === true, problems)
  problems.throwIfAny()
  checkCpus(scenario, problems)
  problems.throwIfAny()
  const bounds = new Bounds(scenario, options.seconds)
  const shared = { bounds, snapshots: new SnapshotStore(scenario.file, options.update) }
  const prepared: PreparedCell[] = []
  for (const cell of scenario.cells) {
    bounds.checkTime(cell.name)
    const plugins = [...officialPlugins(), ...(options.plugins ?? [])]
    for (const specifier of cell.machine.plugins) plugins.push(...own.get(specifier)!)
    const ready = prepareCell(scenario, cell, plugins, images, shared, problems)
    if (ready !== null) prepared.push(ready)
  }
  checkCode(scenario, prepared, problems)
  problems.throwIfAny(scenario.cells.length)
  return prepared
}

/** Every cell has a machine of its own, and all of them are made before the first one runs. */
function checkCpus({ cells }: Scenario, problems: Problems): void {
  const cpus = cells.reduce((sum, { machine }) => sum + machine.cpus, 0)
  if (cpus <= LIMITS.cpus) return
  const message = `${cells.length} cells with ${cpus} CPUs in all are too many`
  problems.add({ path: ['matrix'], at: 'key', message, hint: `most: ${LIMITS.cpus} CPUs` })
}

/** Code for a label that no cell's host has; nothing can be said while there are cells without a host. */
function checkCode({ code, cells }: Scenario, prepared: readonly PreparedCell[], problems: Problems): void {
  if (prepared.length < cells.length) return
  const replaced = new Set(prepared.flatMap(({ programs }) => [...programs.replaced]))
  const known = new Set(prepared.flatMap(({ boot }) => [...boot.labels.keys()]))
  for (const label of Object.keys(code)) {
    if (replaced.has(label)) continue
    const message = `the host has no label "${label}"`
    problems.add({ path: ['code', label], at: 'key', message, hint: suggestion(label, known, 'labels') })
  }
}

/** The plugins that the scenario names, by what it calls them. A file runs no code unless the person at the keyboard lets it. */
async function ownPlugins(
  scenario: Scenario,
  allowed: boolean,
  problems: Problems,
): Promise<ReadonlyMap<string, readonly Plugin[]>> {
  const wanted = new Set(scenario.cells.flatMap(({ machine }) => machine.plugins))
  const loaded = new Map<string, readonly Plugin[]>()
  const path = ['machine', 'plugins']
  if (wanted.size > 0 && !allowed) {
    problems.add({
      path,
      at: 'key',
      message: 'this scenario wants to load code, and a file runs no code unless you allow it',
      hint: `if you trust ${[...wanted].join(', ')}: --allow-plugins`,
    })
    return loaded
  }
  for (const specifier of wanted) {
    try {
      loaded.set(specifier, await loadPlugins(specifier, folderOf(scenario.file)))
    } catch (error) {
      if (!(error instanceof Error) || !('hint' in error)) throw error
      problems.addError(new ScenarioError(error.message, scenario.places.key(path), String(error.hint), error))
    }
  }
  return loaded
}
