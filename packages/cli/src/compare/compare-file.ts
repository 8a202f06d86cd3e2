import type { Plugin } from '@trapframe/core'
import { EXIT_FAILED, EXIT_OK, type ExitCode } from '../command/exit.js'
import { commandPlugins, type PluginRequest } from '../config/command-plugins.js'
import { ScenarioError, ScenarioErrors } from '../error/scenario-error.js'
import type { Closer } from '../follow/look-closer.js'
import { toJson } from '../report/json.js'
import type { CellResult } from '../report/result.js'
import { judge } from '../run/judge.js'
import { loadScenario } from '../run/load-scenario.js'
import { DELIVERY_AXIS } from '../scenario/matrix.js'
import type { CellSpec, Scenario } from '../scenario/scenario.js'
import type { CellRun } from '../session/cell-run.js'
import { openScenario } from '../session/open.js'
import { runCell } from '../session/run-cell.js'
import type { Terminal } from '../terminal/terminal.js'
import { drawComparison } from './draw.js'
import { comparisonObject } from './json.js'
import { type Pairs, pairCells } from './pairs.js'

export interface CompareOptions extends PluginRequest {
  readonly json?: boolean
  readonly allowPlugins?: boolean
  /** Scenarios may read images outside of their folders. */
  readonly allowFiles?: boolean
  /** What is to be seen besides. */
  readonly closer?: Closer | undefined
}

/** A cell that was run and judged. */
export interface Ran {
  readonly cell: CellSpec
  readonly run: CellRun
  readonly result: CellResult
}

/** A scenario whose cells were run and paired. */
export interface Comparison {
  readonly scenario: Scenario
  readonly ran: readonly Ran[]
  readonly pairs: Pairs<Ran>
}

/**
 * Prints a scenario's deliveries side by side.
 *
 * @throws UserError when the scenario cannot be read, or has nothing to compare
 */
export async function compareFile(file: string, terminal: Terminal, options: CompareOptions = {}): Promise<ExitCode> {
  const { json = false, allowPlugins = false, allowFiles = false } = options
  const { plugins, allowPlugins: allowed } = await commandPlugins(options)
  const { scenario } = await loadScenario(file)
  const comparison = await compareScenario(scenario, {
    plugins,
    allowPlugins: allowPlugins || allowed,
    allowFiles,
  })
  terminal.out.write(json ? toJson(comparisonObject(comparison)) : drawComparison(comparison, terminal.out))
  if (options.closer !== undefined) {
    const { lookCloser } = await import('../follow/look-closer.js')
    await lookCloser([file], terminal, options.closer, { plugins, allowPlugins, allowFiles })
  }
  return comparison.ran.every(({ result }) => result.passed) ? EXIT_OK : EXIT_FAILED
}

/** Runs every cell of a scenario and pairs what differs only in its delivery. @throws UserError as {@link compareFile} */
export async function compareScenario(
  scenario: Scenario,
  options: {
    readonly plugins?: readonly Plugin[]
    readonly allowPlugins?: boolean
    readonly allowFiles?: boolean
  } = {},
): Promise<Comparison> {
  const { groups } = pairCells(scenario.cells.map((cell) => ({ cell })))
  if (groups.length === 0) throw nothingToCompare(scenario)
  const prepared = await openScenario(scenario, options)
  const ran = prepared.map((cell) => {
    const finished = runCell(cell, { history: true })
    return { cell: cell.cell, run: finished.run, result: judge(cell, finished) }
  })
  return { scenario, ran, pairs: pairCells(ran) }
}

function nothingToCompare({ file, places, cells }: Scenario): ScenarioErrors {
  const has = cells.some(({ axes }) => DELIVERY_AXIS in axes)
  const message = has
    ? 'no two cells of the matrix differ only in "delivery"'
    : 'there is nothing to compare: the matrix has no axis "delivery"'
  const hint = has
    ? 'leave both deliveries in for at least one combination'
    : 'write  matrix: { delivery: [idt, fred] }'
  const place = places.key([places.node(['matrix']) === undefined ? 'name' : 'matrix'])
  return new ScenarioErrors(file, places.source, [new ScenarioError(message, place, hint)])
}
