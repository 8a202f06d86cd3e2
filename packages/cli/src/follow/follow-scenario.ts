import type { CellResult } from '../report/result.js'
import { judge } from '../run/judge.js'
import { EVERYTHING, type Selection, wantsCell } from '../run/selection.js'
import type { CellSpec, Scenario } from '../scenario/scenario.js'
import type { CellRun } from '../session/cell-run.js'
import { type OpenOptions, openScenario } from '../session/open.js'
import { runCell } from '../session/run-cell.js'
import { Trail } from './trail.js'

/** A cell that was run, judged and followed step by step. */
export interface Followed {
  readonly cell: CellSpec
  readonly run: CellRun
  readonly result: CellResult
  readonly trail: Trail
}

export interface FollowOptions extends OpenOptions {
  readonly selection?: Selection
  /** Steps that are kept of each cell; default 3000. */
  readonly most?: number
}

const MOST = 3000

/** Runs the cells of a scenario that are wanted and follows them step by step. @throws UserError as `run` does */
export async function followScenario(scenario: Scenario, options: FollowOptions = {}): Promise<Followed[]> {
  const { most = MOST, selection = EVERYTHING } = options
  const prepared = await openScenario(scenario, options)
  return prepared
    .filter(({ cell }) => wantsCell(selection, cell))
    .map((cell) => {
      const trail = new Trail(cell, most)
      const finished = runCell(cell, { history: true, watcher: trail })
      return { cell: cell.cell, run: finished.run, result: judge(cell, finished), trail }
    })
}
