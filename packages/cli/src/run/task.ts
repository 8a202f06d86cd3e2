import { type Plugin, UserError } from '@trapframe/core'
import { type PlainError, plainError } from '../error/plain-error.js'
import type { CellResult } from '../report/result.js'
import { type OpenOptions, openScenario } from '../session/open.js'
import { runCell } from '../session/run-cell.js'
import { judge } from './judge.js'
import { loadScenario } from './load-scenario.js'
import { axesOf, type Selection, wantsCell, wantsScenario } from './selection.js'

/** One file to run. Plain data: it may be sent to a worker. */
export interface Task {
  readonly file: string
  readonly selection: Selection
  /** Every step is made twice, from a snapshot. */
  readonly check: boolean
  readonly allowPlugins: boolean
  /** The scenario may read images outside of its folder. */
  readonly allowFiles?: boolean
  /** Snapshots are rewritten. */
  readonly update?: boolean
  /** What all cells of the file may take; left out, the default. */
  readonly seconds?: number | undefined
  /** The first cell that fails is the last one of this file. */
  readonly bail: boolean
  /** The most steps of any run, where that is less than what the scenario wants. */
  readonly mostSteps?: number | undefined
}

/** What became of a file. Plain data: it may come from a worker. */
export interface TaskResult {
  readonly file: string
  /** Left out where the file could not be read. */
  readonly name?: string
  readonly refs: readonly string[]
  readonly cells: readonly CellResult[]
  /** What each cell took. */
  readonly milliseconds: readonly number[]
  /** Cells that the selection left out. */
  readonly leftOut: number
  /** Axes and their values, for hints about selections that meet nothing. */
  readonly axes: Readonly<Record<string, readonly string[]>>
  /** Other files that the scenario was made of. */
  readonly files: readonly string[]
  /** Why the file could not be run. */
  readonly error?: PlainError
  /** The run was stopped in the middle of this file. */
  readonly stopped: boolean
}

const permissionsOf = ({ allowPlugins, allowFiles = false, update = false, seconds }: Task): OpenOptions => ({
  allowPlugins,
  allowFiles,
  update,
  seconds,
})

/**
 * Runs the cells of one file that are wanted. A person's mistakes are part of the result; only a defect throws.
 *
 * @param stopped asked before each cell; resolves to true where the run is to end
 */
export async function perform(
  task: Task,
  plugins: readonly Plugin[],
  stopped: () => boolean | Promise<boolean> = () => false,
): Promise<TaskResult> {
  const { file, selection } = task
  const nothing = { file, refs: [], cells: [], milliseconds: [], leftOut: 0, axes: {}, files: [], stopped: false }
  let files: readonly string[] = []
  try {
    const loaded = await loadScenario(file)
    files = loaded.files
    const { scenario: written } = loaded
    const { name, refs } = written
    const steps = Math.min(written.steps, task.mostSteps ?? written.steps)
    const scenario = { ...written, steps }
    const known = { ...nothing, name, refs, files, axes: axesOf(scenario.cells) }
    const all = scenario.cells.length
    const wanted = wantsScenario(selection, scenario) && scenario.cells.some((cell) => wantsCell(selection, cell))
    if (!wanted) return { ...known, leftOut: all }
    const cells: CellResult[] = []
    const milliseconds: number[] = []
    const prepared = await openScenario(scenario, { ...permissionsOf(task), plugins })
    const chosen = prepared.filter(({ cell }) => wantsCell(selection, cell))
    for (const cell of chosen) {
      if (await stopped()) return { ...known, cells, milliseconds, leftOut: all - chosen.length, stopped: true }
      const start = performance.now()
      const result = judge(cell, runCell(cell, { check: task.check }))
      cells.push(result)
      milliseconds.push(performance.now() - start)
      if (task.bail && !result.passed) break
    }
    return { ...known, cells, milliseconds, leftOut: all - chosen.length }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return { ...nothing, files, error: plainError(error) }
  }
}
