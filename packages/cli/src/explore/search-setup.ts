import { MachineError } from '@trapframe/core'
import type { PreparedSearch } from '@trapframe/explore'
import { loadScenario } from '../run/load-scenario.js'
import { pluginsFrom } from '../run/plugins-from.js'
import type { PluginSource } from '../run/pool.js'
import type { Scenario } from '../scenario/scenario.js'
import { openScenario } from '../session/open.js'
import { bareScenario } from './bare.js'
import type { SearchJob } from './job.js'
import { searchOptions } from './search-options.js'

/** What a process needs to make the machine of a search itself: names and texts, for functions cannot be sent to it. */
export interface SearchOrder {
  readonly job: SearchJob
  readonly source: PluginSource
  readonly allowPlugins: boolean
  readonly allowFiles: boolean
  /** Labels of the cell's host at which the scenario's own code stands. */
  readonly replaced: readonly string[]
  /** Id of the process that the others work for. */
  readonly coordinator: number
}

/**
 * The search of one cell, made anew from its file: what a worker of `exploreParallel` calls.
 *
 * @param data a {@link SearchOrder}
 * @throws UserError for what is wrong with the file or the plugins, or has changed since the search began
 */
export async function searchSetup(data: unknown): Promise<PreparedSearch> {
  const order = data as SearchOrder
  // A terminal sends Ctrl-C to all processes: the first one deals with it, and must find the others there.
  if (process.pid !== order.coordinator) process.on('SIGINT', () => undefined)
  const { job, source, allowPlugins, allowFiles } = order
  const plugins = await pluginsFrom(source)
  const { scenario } = await loadScenario(job.file)
  const [prepared] = await openScenario(oneCell(bareScenario(scenario), order), { plugins, allowPlugins, allowFiles })
  if (prepared === undefined) throw changed(job)
  const { machine, boot } = prepared
  return { machine, boot, options: searchOptions(prepared, job.plan) }
}

/** The scenario with this cell only, and the code that is for its host. */
function oneCell(scenario: Scenario, { job, replaced }: SearchOrder): Scenario {
  const cells = scenario.cells.filter(({ name }) => name === job.cell)
  const code = Object.entries(scenario.code).filter(([label]) => replaced.includes(label))
  return { ...scenario, cells, code: Object.fromEntries(code) }
}

const changed = ({ file, cell }: SearchJob): MachineError =>
  new MachineError('job-differs', `${file} has no cell "${cell}" any more`, {
    hint: 'leave the scenario as it is while it is searched',
  })
