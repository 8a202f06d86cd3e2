import { parseScenario } from '../scenario/parse.js'
import type { CellRun } from '../session/cell-run.js'
import { type OpenOptions, openScenario } from '../session/open.js'
import { runCell } from '../session/run-cell.js'

/**
 * Runs the text of a counterexample as `run` would, from a fresh machine.
 *
 * @param file where the text stands, or would
 */
export async function replay(file: string, text: string, options: OpenOptions): Promise<CellRun> {
  const [prepared] = await openScenario(parseScenario(file, text), { ...options, allowFiles: true })
  return runCell(prepared!, { history: true }).run
}

/** Whether a run breaks an invariant, and in which step it does so first. */
export const brokenAt = ({ violations }: CellRun, invariant: string): number | null =>
  violations.find((one) => one.invariant === invariant)?.step ?? null
