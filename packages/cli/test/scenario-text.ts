import type { Plugin } from '@trapframe/core'
import type { CellResult } from '../src/report/result.js'
import { judge } from '../src/run/judge.js'
import { parseScenario } from '../src/scenario/parse.js'
import type { CellRun } from '../src/session/cell-run.js'
import { openScenario } from '../src/session/open.js'
import { type RunOptions, runCell } from '../src/session/run-cell.js'

/** Runs every cell of a scenario that is given as text. */
export async function runText(
  text: string,
  options: RunOptions & { readonly plugins?: readonly Plugin[] } = {},
): Promise<{ readonly run: CellRun; readonly result: CellResult }[]> {
  const cells = await openScenario(parseScenario('test.yaml', text), options)
  return cells.map((cell) => {
    const finished = runCell(cell, options)
    return { run: finished.run, result: judge(cell, finished) }
  })
}

/** The same for a scenario without a matrix. */
export async function runOnly(
  text: string,
  options: RunOptions & { readonly plugins?: readonly Plugin[] } = {},
): Promise<{ readonly run: CellRun; readonly result: CellResult }> {
  const [only] = await runText(text, options)
  return only!
}
