import type { Plugin } from '@trapframe/core'
import type { SearchProgress } from '@trapframe/explore'
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, type ExitCode } from '../command/exit.js'
import type { PluginRequest } from '../config/command-plugins.js'
import { configOf } from '../config/config-of.js'
import { UsageError } from '../error/usage-error.js'
import type { Closer } from '../follow/look-closer.js'
import { toJson } from '../report/json.js'
import { findScenarios } from '../run/files.js'
import { loadScenario } from '../run/load-scenario.js'
import { pluginsFrom } from '../run/plugins-from.js'
import type { PluginSource } from '../run/pool.js'
import { axesOf, type Selection, wantsCell } from '../run/selection.js'
import type { CellSpec, Scenario } from '../scenario/scenario.js'
import { openScenario } from '../session/open.js'
import type { PreparedCell } from '../session/prepare.js'
import { showProgress } from '../terminal/progress.js'
import type { Terminal } from '../terminal/terminal.js'
import { bareScenario } from './bare.js'
import { drawCoverage } from './coverage.js'
import { drawCell } from './draw.js'
import { Estimate } from './estimate.js'
import { requireKnownInvariants, unmetExpectations } from './expectations.js'
import { atSection } from './in-section.js'
import type { SearchOutcome } from './job.js'
import { exploredObject } from './json.js'
import { performJob } from './perform.js'
import { type PlanOptions, planOf } from './plan.js'
import { progressText } from './progress.js'
import { canSearchInWorkers } from './workers.js'
import { type WrittenCounterexample, writeCounterexample } from './write-counterexample.js'

export interface ExploreOptions extends PluginRequest {
  readonly plan: PlanOptions
  readonly selection: Selection
  /** The folder that counterexamples are written to. */
  readonly out: string
  readonly json?: boolean
  readonly coverage?: boolean
  /** Success means that every cell's search found what its scenario says. */
  readonly check?: boolean
  /** The file that the graph of the states goes to. */
  readonly graph?: string | undefined
  /** The file that the state of the search goes to, and the one that it comes from. */
  readonly checkpoint?: string | undefined
  readonly resume?: string | undefined
  /** How many processes search; 1 for this one alone. */
  readonly workers: number
  /** Where workers on other machines take their work from. */
  readonly queue?: string | undefined
  readonly closer?: Closer | undefined
  readonly allowPlugins?: boolean
  readonly allowFiles?: boolean
  readonly signal: AbortSignal
}

/** A cell that was searched. */
export interface ExploredCell {
  readonly file: string
  readonly name: string
  readonly outcome: SearchOutcome
  readonly counterexamples: readonly WrittenCounterexample[]
  /** What the scenario says that the search must find, and was not found. */
  readonly unmet: readonly string[]
  /** Injections of the scenario's own, which were left out. */
  readonly leftOut: number
}

export interface Explored {
  readonly cells: readonly ExploredCell[]
  readonly interrupted: boolean
}

/**
 * Searches the cells of scenarios and prints what was found; counterexamples become scenarios.
 *
 * @throws UserError when a scenario cannot be read, or the plan names what its machine does not have
 */
export async function exploreFiles(
  operands: readonly string[],
  terminal: Terminal,
  options: ExploreOptions,
): Promise<ExitCode> {
  const config = await configOf(options.config)
  const source = { modules: options.modules ?? [], config: config.file }
  const plugins = await pluginsFrom(source, config)
  const { files } = await findScenarios(operands)
  const loaded = await Promise.all(files.map(async (file) => (await loadScenario(file)).scenario))
  const chosen = select(loaded, options.selection)
  const wanted = chosen.flatMap(({ cells }) => cells.filter((cell) => wantsCell(options.selection, cell)))
  if (wanted.length > 1) requireOneCell(options)
  const workers = workersFor(wanted, terminal, options)
  const allowPlugins = options.allowPlugins === true || config.settings.allowPlugins === true
  const context = { ...options, source, plugins, allowPlugins, workers }
  const cells: ExploredCell[] = []
  for (const scenario of chosen) {
    if (options.signal.aborted) break
    for await (const cell of exploreScenario(scenario, terminal, context)) {
      cells.push(cell)
      if (options.json === true) continue
      const style = { first: cells.at(-2)?.file !== cell.file, check: options.check === true }
      terminal.out.write(drawCell(cell, style, terminal.out))
      if (options.coverage === true) terminal.out.write(drawCoverage(cell.outcome, terminal.out))
    }
  }
  const explored: Explored = { cells, interrupted: options.signal.aborted }
  if (options.json === true) terminal.out.write(toJson(exploredObject(explored)))
  await lookAt(explored, terminal, context)
  return exitCode(explored, options.check === true)
}

interface Context extends ExploreOptions {
  /** Where another process gets the same plugins from. */
  readonly source: PluginSource
  readonly plugins: readonly Plugin[]
  readonly allowPlugins: boolean
}

/** The scenarios with cells that are wanted. @throws UsageError where there are none */
function select(scenarios: readonly Scenario[], selection: Selection): Scenario[] {
  const chosen = scenarios.filter(({ cells }) => cells.some((cell) => wantsCell(selection, cell)))
  if (chosen.length > 0) return chosen
  const axes = Object.entries(axesOf(scenarios.flatMap(({ cells }) => cells)))
  const hint = axes.map(([axis, values]) => `${axis}=${values.join('|')}`).join(', ')
  throw new UsageError('no cell is selected', hint === '' ? 'the scenario has no matrix' : hint)
}

/** What is one file of one search. */
function requireOneCell({ graph, checkpoint, resume }: ExploreOptions): void {
  const option = graph ? '--graph' : checkpoint ? '--checkpoint' : resume ? '--resume' : null
  if (option === null) return
  throw new UsageError(`${option} is for one cell, and several are selected`, 'choose one: --cell AXIS=VALUE')
}

/** How many processes search. @throws UsageError for several, where the search is not breadth first */
function workersFor(cells: readonly CellSpec[], { err }: Terminal, { workers, queue, plan }: ExploreOptions): number {
  if (workers === 1) return 1
  if (queue !== undefined) {
    throw new UsageError('--queue has workers of its own', 'leave out --workers, and start trapframe explore worker')
  }
  const other = cells.map((cell) => planOf(cell, plan).strategy).find((strategy) => strategy !== 'breadth-first')
  if (other !== undefined) {
    throw new UsageError(`--workers ${workers} cannot search ${other}`, 'add --strategy breadth-first')
  }
  if (canSearchInWorkers()) return workers
  err.write(`--workers ${workers}: there is no built package to start workers from, so one process searches\n`)
  return 1
}

async function* exploreScenario(
  scenario: Scenario,
  terminal: Terminal,
  context: Context,
): AsyncGenerator<ExploredCell, void> {
  const { plugins, allowPlugins, allowFiles = false } = context
  const prepared = await openScenario(bareScenario(scenario), { plugins, allowPlugins, allowFiles })
  for (const [n, one] of prepared.entries()) {
    if (!wantsCell(context.selection, one.cell)) continue
    requireKnownInvariants(one)
    const outcome = await searchCell(one, terminal, context)
    const counterexamples: WrittenCounterexample[] = []
    for (const found of outcome.counterexamples) {
      counterexamples.push(await writeCounterexample(scenario, one, found, context))
    }
    const { expect = [] } = one.cell.explore
    const unmet = unmetExpectations(expect, outcome)
    const leftOut = scenario.cells[n]!.inject.length
    yield { file: scenario.file, name: scenario.name, outcome, counterexamples, unmet, leftOut }
    if (context.signal.aborted) return
  }
}

async function searchCell(prepared: PreparedCell, terminal: Terminal, context: Context): Promise<SearchOutcome> {
  const { scenario, cell } = prepared
  const plan = planOf(cell, context.plan)
  const job = { file: scenario.file, cell: cell.name, plan }
  const progress = showProgress(terminal)
  const estimate = new Estimate(plan.depth)
  const onProgress = (sample: SearchProgress): void => {
    estimate.note(sample)
    progress.say(progressText(job, sample, estimate.left(sample)))
  }
  try {
    if (context.graph !== undefined) {
      const { writeGraph } = await import('./graph.js')
      await writeGraph(prepared, plan, context.graph)
    }
    const { checkpoint, resume, signal, workers: count, source, allowPlugins, allowFiles = false } = context
    const onLoss = (message: string): void => {
      if (!signal.aborted) progress.terminal.err.write(`${message}: all go back to what was kept last\n`)
    }
    const workers = count === 1 ? undefined : { count, source, allowPlugins, allowFiles, onLoss }
    const say = (message: string): void => progress.terminal.err.write(`${message}\n`)
    const queue = context.queue === undefined ? undefined : { url: context.queue, say }
    const meanwhile = { signal, onProgress, progressEvery: 250, checkpoint, resume }
    return await performJob(prepared, job, { ...meanwhile, workers, queue })
  } catch (error) {
    throw atSection(prepared, plan, error)
  } finally {
    progress.end()
  }
}

/** Shows the counterexamples step by step, as wanted. */
async function lookAt({ cells }: Explored, terminal: Terminal, context: Context): Promise<void> {
  const { closer, plugins, allowPlugins } = context
  const files = cells.flatMap(({ counterexamples }) => counterexamples.flatMap(({ scenario }) => scenario ?? []))
  if (closer === undefined || files.length === 0) return
  const { lookCloser } = await import('../follow/look-closer.js')
  await lookCloser(files, terminal, closer, { plugins, allowPlugins, allowFiles: true })
}

function exitCode({ cells, interrupted }: Explored, check: boolean): ExitCode {
  if (interrupted) return EXIT_INTERRUPTED
  const failed = check
    ? cells.some(({ unmet }) => unmet.length > 0)
    : cells.some(({ counterexamples }) => counterexamples.length > 0)
  return failed ? EXIT_FAILED : EXIT_OK
}
