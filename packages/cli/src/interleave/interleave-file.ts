import { EXIT_OK, type ExitCode } from '../command/exit.js'
import { commandPlugins, type PluginRequest } from '../config/command-plugins.js'
import { toJson } from '../report/json.js'
import { loadScenario } from '../run/load-scenario.js'
import type { Scenario } from '../scenario/scenario.js'
import { openScenario } from '../session/open.js'
import type { PreparedCell } from '../session/prepare.js'
import type { Terminal } from '../terminal/terminal.js'
import { disturb, runUndisturbed } from './disturb.js'
import { drawInterleaving } from './draw.js'
import { disturbances } from './events.js'
import { interleavingObject } from './json.js'
import type { CellRows } from './rows.js'

export interface InterleaveOptions extends PluginRequest {
  /** Names of events, as a scenario's `inject` has them. */
  readonly events: readonly string[]
  readonly json?: boolean
  readonly allowPlugins?: boolean
  readonly allowFiles?: boolean
}

/** A scenario whose every cell was disturbed at every boundary of ring 0. */
export interface Interleaving {
  readonly scenario: Scenario
  readonly cells: readonly CellRows[]
}

/** For all runs of all cells together. */
const SECONDS = 600

/**
 * Prints what events at every instruction boundary of ring 0 do to a scenario (X7).
 *
 * @throws UserError when the scenario cannot be read, or an event is unknown
 */
export async function interleaveFile(file: string, terminal: Terminal, options: InterleaveOptions): Promise<ExitCode> {
  const { json = false, allowPlugins = false, allowFiles = false, events } = options
  const { plugins, allowPlugins: allowed } = await commandPlugins(options)
  const { scenario } = await loadScenario(file)
  const prepared = await openScenario(scenario, {
    plugins,
    allowPlugins: allowPlugins || allowed,
    allowFiles,
    seconds: SECONDS,
  })
  const interleaving = { scenario, cells: prepared.map((cell) => interleaveCell(cell, events)) }
  terminal.out.write(json ? toJson(interleavingObject(interleaving)) : drawInterleaving(interleaving, terminal.out))
  return EXIT_OK
}

/** Runs a cell once for each event and boundary, always from its beginning. The cell's machine is used up by it. */
function interleaveCell(prepared: PreparedCell, names: readonly string[]): CellRows {
  const events = disturbances(prepared.machine, names)
  const start = prepared.machine.snapshot()
  const calm = runUndisturbed(prepared, start)
  return {
    cell: prepared.cell,
    boundaries: calm.boundaries,
    events: events.map((event) => ({
      event: event.name,
      effects: calm.boundaries.map((boundary) => disturb(prepared, start, calm, event, boundary)),
    })),
  }
}
