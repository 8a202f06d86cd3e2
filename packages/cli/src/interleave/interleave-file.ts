import type { Plugin } from '@trapframe/core'
import { EXIT_OK, type ExitCode } from '../command/exit.js'
import { toJson } from '../report/json.js'
import { readScenario } from '../run/files.js'
import { parseScenario } from '../scenario/parse.js'
import type { Scenario } from '../scenario/scenario.js'
import { loadPlugins } from '../session/modules.js'
import { openScenario } from '../session/open.js'
import type { PreparedCell } from '../session/prepare.js'
import type { Terminal } from '../terminal/terminal.js'
import { disturb, runUndisturbed } from './disturb.js'
import { drawInterleaving } from './draw.js'
import { disturbances } from './events.js'
import { interleavingObject } from './json.js'
import type { CellRows } from './rows.js'

export interface InterleaveOptions {
  /** Names of events, as a scenario's `inject` has them. */
  readonly events: readonly string[]
  readonly json?: boolean
  readonly modules?: readonly string[]
  readonly allowPlugins?: boolean
}

/** A scenario whose every cell was disturbed at every boundary of ring 0. */
export interface Interleaving {
  readonly scenario: Scenario
  readonly cells: readonly CellRows[]
}

/**
 * Prints what events at every instruction boundary of ring 0 do to a scenario (X7).
 *
 * @throws UserError when the scenario cannot be read, or an event is unknown
 */
export async function interleaveFile(file: string, terminal: Terminal, options: InterleaveOptions): Promise<ExitCode> {
  const { json = false, modules = [], allowPlugins = false, events } = options
  const plugins: Plugin[] = []
  for (const module of modules) plugins.push(...(await loadPlugins(module, process.cwd())))
  const scenario = parseScenario(file, await readScenario(file))
  const prepared = await openScenario(scenario, { plugins, allowPlugins })
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
