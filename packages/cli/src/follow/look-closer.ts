import { UserError } from '@trapframe/core'
import { drawExplained } from '../explain/draw-explained.js'
import { plural } from '../report/plural.js'
import { loadScenario } from '../run/load-scenario.js'
import type { Scenario } from '../scenario/scenario.js'
import type { Output, Terminal } from '../terminal/terminal.js'
import { type Followed, type FollowOptions, followScenario } from './follow-scenario.js'

/** What a person wants to see of runs beside their verdicts. */
export interface Closer {
  /** Deliveries in words go here; undefined where nobody asked for them. */
  readonly explain: Output | undefined
  /** The file that the page goes to. */
  readonly html: string | undefined
}

/** Steps that one page holds at most, over all of its cells, and steps of a cell that are kept in any case. */
const MOST_STEPS = 12_000
const LEAST = 100

/**
 * Runs scenarios once more and follows every step: prints deliveries in words, writes a page, as wanted. A run is the same
 * every time, so that what is shown is what was judged. A scenario that cannot be run was told of already, and is left out.
 *
 * @throws UsageError where the page cannot be written
 */
export async function lookCloser(
  files: readonly string[],
  terminal: Terminal,
  { explain, html }: Closer,
  options: FollowOptions & { readonly mostSteps?: number | undefined } = {},
): Promise<void> {
  const scenarios = await loadAll(files, options.mostSteps)
  const cells = scenarios.reduce((sum, scenario) => sum + scenario.cells.length, 0)
  const most = Math.max(LEAST, Math.floor(MOST_STEPS / Math.max(1, cells)))
  const all: (readonly [Scenario, readonly Followed[]])[] = []
  for (const scenario of scenarios) {
    try {
      const followed = await followScenario(scenario, { ...options, most })
      explain?.write(drawExplained(scenario, followed, explain))
      if (html !== undefined) all.push([scenario, followed])
    } catch (error) {
      if (!(error instanceof UserError)) throw error
    }
  }
  if (html === undefined) return
  if (all.length === 0) {
    terminal.err.write(`${html} is not written: no scenario was run\n`)
    return
  }
  const { writeReport } = await import('../html/write-report.js')
  const bytes = await writeReport(html, all)
  const size = bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
  terminal.err.write(`${html}: ${plural(all.length, 'scenario')}, ${size}\n`)
}

async function loadAll(files: readonly string[], mostSteps: number | undefined): Promise<Scenario[]> {
  const loaded: Scenario[] = []
  for (const file of files) {
    try {
      const { scenario } = await loadScenario(file)
      loaded.push({ ...scenario, steps: Math.min(scenario.steps, mostSteps ?? scenario.steps) })
    } catch (error) {
      if (!(error instanceof UserError)) throw error
    }
  }
  return loaded
}
