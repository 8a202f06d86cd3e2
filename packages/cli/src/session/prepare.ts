import { type Boot, type Machine, type Plugin, PluginError, type UserError } from '@trapframe/core'
import { ScenarioError } from '../error/scenario-error.js'
import { AT_BOOT } from '../scenario/grammar.js'
import type { Problems } from '../scenario/problems.js'
import type { CellSpec, Scenario } from '../scenario/scenario.js'
import type { SnapshotStore } from '../snapshot/store.js'
import { applySetup, type BoundExpectation, bindExpectations, bindInjections } from './bind.js'
import type { Bounds } from './bounds.js'
import type { Images } from './images.js'
import { bootMachine } from './machine.js'
import type { BoundInjection } from './moments.js'
import { type LoadedPrograms, loadPrograms } from './programs.js'

/**
 * A cell that is ready to run: a booted machine with the programs in it and its CPUs at their starting points, and
 * everything that the file says bound to it.
 */
export interface PreparedCell {
  readonly scenario: Scenario
  readonly cell: CellSpec
  readonly machine: Machine
  readonly boot: Boot
  readonly programs: LoadedPrograms
  readonly injections: readonly BoundInjection[]
  readonly expectations: readonly BoundExpectation[]
  /** What all cells of the scenario may take together. */
  readonly bounds: Bounds
}

/** What the cells of a scenario share. */
export interface Surroundings {
  readonly bounds: Bounds
  readonly snapshots: SnapshotStore
}

/**
 * Makes a fresh machine for a cell. What is wrong with the scenario goes to `problems`; null where that leaves nothing
 * to run.
 *
 * @throws PluginError for plugins that do not fit together
 */
export function prepareCell(
  scenario: Scenario,
  cell: CellSpec,
  plugins: readonly Plugin[],
  images: Images,
  { bounds, snapshots }: Surroundings,
  problems: Problems,
): PreparedCell | null {
  const booted = tryBoot(scenario, cell, plugins)
  if (!('machine' in booted)) {
    for (const { path, at, message, hint } of booted) {
      problems.add({ path: ['machine', ...path], at, message, hint }, cell.name)
    }
    return null
  }
  const { machine } = booted
  let { boot } = booted
  const atBoot = cell.start.includes(AT_BOOT)
  if (atBoot && boot.sites.boot === undefined) {
    const message = `host "${cell.machine.host}" cannot be started at its boot`
    problems.add({ path: ['start'], at: 'value', message }, cell.name)
    return null
  }
  const programs = loadPrograms(scenario, machine, boot, images, problems, cell.name)
  if (!programs.complete) return null
  boot = { ...boot, areas: programs.areas }
  const context = { scenario, cell, machine, boot, labels: programs.labels, problems, bounds, snapshots }
  for (const point of cell.start) {
    if (typeof point === 'string' || programs.labels.has(point.label)) continue
    problems.add({ path: ['start'], at: 'value', message: `unknown label "${point.label}"` }, cell.name)
  }
  for (const number of scenario.schedule.kind === 'list' ? scenario.schedule.cpus : []) {
    if (number < machine.cpus.length) continue
    const message = `the schedule names CPU ${number}, and the machine has ${machine.cpus.length}`
    problems.add(
      { path: ['schedule'], at: 'key', message, hint: 'CPUs count from 0; "machine: cpus" says how many' },
      cell.name,
    )
    break
  }
  const injections = bindInjections(context)
  const expectations = bindExpectations(context)
  machine.cpus.forEach((cpu, number) => {
    const start = cell.start[Math.min(number, cell.start.length - 1)]
    if (start !== undefined) programs.enter(cpu, start)
  })
  applySetup(context)
  // A run that begins with the boot prints itself what the boot prints.
  if (atBoot) boot = { ...boot, log: [] }
  return { scenario, cell, machine, boot, programs, injections, expectations, bounds }
}

function tryBoot(scenario: Scenario, cell: CellSpec, plugins: readonly Plugin[]): ReturnType<typeof bootMachine> {
  try {
    return bootMachine(cell.machine, plugins)
  } catch (error) {
    if (!(error instanceof PluginError) || cell.machine.plugins.length === 0) throw error
    throw pluginError(scenario, error)
  }
}

/** A clash of plugins, shown where the scenario lists its own. */
function pluginError(scenario: Scenario, error: UserError): ScenarioError {
  return new ScenarioError(error.message, scenario.places.key(['machine', 'plugins']), error.hint, error)
}
