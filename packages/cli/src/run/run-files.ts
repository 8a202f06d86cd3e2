import type { Plugin } from '@trapframe/core'
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_MISUSE, EXIT_OK, type ExitCode } from '../command/exit.js'
import { suggestion } from '../command/suggest.js'
import { configOf } from '../config/config-of.js'
import type { LoadedConfig } from '../config/load-config.js'
import { userError } from '../error/plain-error.js'
import { printError } from '../error/print.js'
import { UsageError } from '../error/usage-error.js'
import { type Unreadable, unreadable } from '../report/json.js'
import { plural } from '../report/plural.js'
import type { RunEnd, RunReport, ScenarioReport } from '../report/reporter.js'
import { totalsOf } from '../report/result.js'
import { type Progress, showProgress } from '../terminal/progress.js'
import type { Terminal } from '../terminal/terminal.js'
import { findScenarios } from './files.js'
import { operandsOf } from './operands.js'
import { type PluginSource, performAll, workersFor } from './pool.js'
import { reporterChoices, startReporting } from './reporting.js'
import { type Selection, selectionOf } from './selection.js'
import type { Task, TaskResult } from './task.js'

export interface RunFilesOptions {
  readonly json?: boolean
  readonly check?: boolean
  /** Plugin modules, relative to the working folder. */
  readonly modules?: readonly string[]
  readonly allowPlugins?: boolean
  /** Scenarios may read images outside of their folders. */
  readonly allowFiles?: boolean
  /** Snapshots are rewritten. */
  readonly update?: boolean
  /** What all cells of one file may take. */
  readonly seconds?: number | undefined
  /** As after `--reporter`. */
  readonly reporters?: readonly string[]
  readonly output?: string | undefined
  /** As after `--filter`. */
  readonly filters?: readonly string[]
  /** As after `--cell`. */
  readonly cells?: readonly string[]
  /** The first failure ends the run. */
  readonly bail?: boolean
  readonly workers?: number | undefined
  /** The config file; left out, the nearest one. */
  readonly config?: string | undefined
  /** Ends the run early; what is known then is told. */
  readonly signal?: AbortSignal | undefined
  /** Modules are to be loaded anew, though this process has run before: everything is done in workers. */
  readonly fresh?: boolean
}

/** A run that is over. */
export interface Ran {
  readonly code: ExitCode
  readonly report: RunReport
  readonly results: readonly TaskResult[]
  readonly config: LoadedConfig
}

/**
 * Runs scenarios. One that cannot be read does not keep the others from running.
 *
 * @throws UserError where the command line or the config itself is wrong
 */
export async function runFiles(
  operands: readonly string[],
  terminal: Terminal,
  options: RunFilesOptions = {},
): Promise<ExitCode> {
  return (await run(operands, terminal, options)).code
}

/** The same, with all that is known afterwards. */
export async function run(
  operands: readonly string[],
  terminal: Terminal,
  options: RunFilesOptions = {},
): Promise<Ran> {
  const config = await configOf(options.config)
  const { settings } = config
  const source: PluginSource = { modules: options.modules ?? [], config: config.file }
  const plugins = await pluginsOf(source, config)
  const allowPlugins = options.allowPlugins || settings.allowPlugins === true
  const selection = selectionOf(options.filters ?? [], options.cells ?? [])
  const asked = options.reporters ?? []
  const named = asked.length > 0 || options.json ? asked : (settings.reporter ?? [])
  const choices = reporterChoices(named, options.output, options.json)
  const { files, passedOver } = await findScenarios(operandsOf(operands, config), allowPlugins)
  const tasks = files.map(
    (file): Task => ({
      file,
      selection,
      check: options.check === true,
      allowPlugins,
      allowFiles: options.allowFiles === true,
      update: options.update === true,
      seconds: options.seconds ?? settings.limits?.seconds,
      bail: options.bail === true,
      mostSteps: settings.limits?.steps,
    }),
  )
  const progress = showProgress(terminal)
  const reporting = await startReporting(choices, plugins, progress.terminal)
  const started = performance.now()
  const told = new Told(progress)
  try {
    notePassedOver(passedOver, progress.terminal)
    const workers = workersFor(tasks.length, options.workers ?? settings.workers, options.fresh)
    const counter = new Counter(tasks.length, progress)
    const { signal } = options
    for await (const result of performAll(tasks, {
      workers,
      source,
      plugins,
      signal,
      onDone: (one) => counter.done(one),
    })) {
      const outcome = await told.take(result)
      if (outcome === undefined) continue
      for (const reporter of reporting.reporters) {
        if ('error' in outcome) reporter.unreadable?.(outcome.error)
        else reporter.scenario?.(outcome.report)
      }
      if (options.bail && told.anyFailure) break
    }
    if (signal?.aborted !== true) nothingSelected(selection, told.results)
    const report = told.finish(tasks.length, signal?.aborted === true, performance.now() - started)
    for (const reporter of reporting.reporters) reporter.end?.(report)
    return { code: exitCode(report), report, results: told.results, config }
  } finally {
    progress.end()
    reporting.close()
  }
}

/** Without plugins of others there is nothing to load, and with workers this thread needs no machine at all. */
async function pluginsOf(source: PluginSource, config: LoadedConfig): Promise<readonly Plugin[]> {
  if (source.modules.length === 0 && (config.settings.plugins ?? []).length === 0) return []
  const { pluginsFrom } = await import('./plugins-from.js')
  return pluginsFrom(source, config)
}

/** What is known so far, in the order of the files. */
class Told {
  readonly results: TaskResult[] = []
  readonly #scenarios: ScenarioReport[] = []
  readonly #unreadable: Unreadable[] = []
  readonly #progress: Progress

  constructor(progress: Progress) {
    this.#progress = progress
  }

  /** Takes what became of a file; undefined where that is nothing to report. */
  async take(result: TaskResult): Promise<{ report: ScenarioReport } | { error: Unreadable } | undefined> {
    this.results.push(result)
    const { file, name, refs, cells, milliseconds } = result
    if (result.error !== undefined) {
      const error = userError(result.error)
      const { err } = this.#progress.terminal
      await printError(error, err)
      err.write('\n')
      const known = unreadable(file, error)
      this.#unreadable.push(known)
      return { error: known }
    }
    if (cells.length === 0) return undefined
    const report = { file, name: name ?? file, refs, cells, milliseconds }
    this.#scenarios.push(report)
    return { report }
  }

  get anyFailure(): boolean {
    return this.#unreadable.length > 0 || this.#scenarios.some(({ cells }) => cells.some(({ passed }) => !passed))
  }

  finish(tasks: number, interrupted: boolean, milliseconds: number): RunReport {
    const bailed = this.results.length < tasks || this.#unreadable.length > 0
    const end: RunEnd = interrupted ? 'interrupted' : bailed && this.results.length < tasks ? 'bailed' : 'complete'
    return {
      scenarios: this.#scenarios,
      unreadable: this.#unreadable,
      totals: totalsOf(this.#scenarios, this.#unreadable.length),
      leftOut: this.results.reduce((sum, { leftOut }) => sum + leftOut, 0),
      end,
      milliseconds,
    }
  }
}

/** Says how far the run is. */
class Counter {
  readonly #progress: Progress
  readonly #files: number
  #done = 0
  #failed = 0

  constructor(files: number, progress: Progress) {
    this.#files = files
    this.#progress = progress
    this.#say()
  }

  done({ cells, error }: TaskResult): void {
    this.#done++
    this.#failed += cells.filter(({ passed }) => !passed).length + (error === undefined ? 0 : 1)
    this.#say()
  }

  #say(): void {
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`
    this.#progress.say(`${this.#done} of ${plural(this.#files, 'scenario')}${failed}`)
  }
}

function exitCode({ end, totals }: RunReport): ExitCode {
  if (end === 'interrupted') return EXIT_INTERRUPTED
  if (totals.unreadable > 0) return EXIT_MISUSE
  return totals.failed > 0 ? EXIT_FAILED : EXIT_OK
}

function notePassedOver(files: readonly string[], { err }: Terminal): void {
  if (files.length === 0) return
  err.write(
    `${plural(files.length, 'scenario')} in TypeScript passed over, as ${files.length === 1 ? 'it is' : 'they are'} code that would run: name ${files[0]}, or give --allow-plugins\n`,
  )
}

/** @throws UsageError where a selection meets nothing at all, as it is misspelt */
function nothingSelected({ filters, cells }: Selection, results: readonly TaskResult[]): void {
  if (filters.length === 0 && Object.keys(cells).length === 0) return
  if (results.length === 0 || results.some((result) => result.cells.length > 0 || result.error !== undefined)) return
  const axes = [...new Set(results.flatMap((result) => Object.keys(result.axes)))]
  for (const [axis, values] of Object.entries(cells)) {
    if (!axes.includes(axis)) throw new UsageError(`no scenario has an axis "${axis}"`, suggestion(axis, axes, 'axes'))
    const known = [...new Set(results.flatMap((result) => result.axes[axis] ?? []))]
    const unknown = values.find((value) => !known.includes(value))
    if (unknown !== undefined) {
      throw new UsageError(`axis "${axis}" has no value "${unknown}"`, suggestion(unknown, known, 'values'))
    }
  }
  const words = filters.map((filter) => `"${filter}"`).join(' or ')
  const both = Object.keys(cells).length > 0
  if (words === '') throw new UsageError('no cell has all of these values')
  const names = results.flatMap(({ name, refs }) => [name ?? '', ...refs])
  throw new UsageError(
    both ? `no scenario with ${words} has such cells` : `no scenario has ${words} in its name or among its references`,
    both ? undefined : suggestion(filters[0]!, names, 'names and references'),
  )
}
