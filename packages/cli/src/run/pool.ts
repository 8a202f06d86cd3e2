import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Plugin } from '@trapframe/core'
import { type PlainError, userError } from '../error/plain-error.js'
import type { Task, TaskResult } from './task.js'

/** Where a worker gets its plugins from: it cannot be sent any, as they are functions. */
export interface PluginSource {
  /** Modules, by path or package name, looked up from the working folder. */
  readonly modules: readonly string[]
  /** The config file whose plugins are loaded too. */
  readonly config?: string | undefined
}

/** What a worker is given with each task. */
export interface WorkerOrder {
  readonly task: Task
  readonly source: PluginSource
  /** The first word is 1 when the run is to end. */
  readonly stop: Int32Array
}

/** What became of a task, or why the worker can do none: its plugins cannot be loaded. */
export type WorkerAnswer = TaskResult | { readonly refused: PlainError } | null

export interface PerformOptions {
  /** How many threads; 0 for none but this one. */
  readonly workers: number
  readonly source: PluginSource
  /** The same plugins, for this thread. */
  readonly plugins: readonly Plugin[]
  /** Ends the run: what is being run is finished, the rest is left. */
  readonly signal?: AbortSignal | undefined
  /** A task is done; they finish in any order. */
  onDone?(result: TaskResult): void
}

/** How long workers may go on with what they are at when the run is to end. */
const GRACE = 1000

/**
 * Files that a worker must have before it pays off: it loads everything anew and runs cold code at first, which costs as
 * much as about 15 scenarios.
 */
const FILES_FOR_A_WORKER = 32

/** The worker's code, beside this chunk of the built package. */
const WORKER = new URL('./worker.js', import.meta.url)

/**
 * How many workers a run gets: as many as there are cores, but none that would cost more to start than it brings; and
 * none at all where there is no built package.
 *
 * @param wanted what a person asked for
 * @param fresh at least one, as only a new thread loads modules anew
 */
export function workersFor(files: number, wanted: number | undefined, fresh = false): number {
  if (!existsSync(fileURLToPath(WORKER))) return 0
  const paying = Math.min(availableParallelism(), Math.floor(files / FILES_FOR_A_WORKER))
  const workers = wanted === undefined ? paying : Math.min(wanted, files)
  if (fresh) return Math.max(1, workers)
  return workers > 1 ? workers : 0
}

/** Runs tasks, in this thread or in workers, and gives the results in the order of the tasks. */
export async function* performAll(tasks: readonly Task[], options: PerformOptions): AsyncGenerator<TaskResult> {
  yield* options.workers > 0 ? inWorkers(tasks, options) : inThisThread(tasks, options)
}

async function* inThisThread(
  tasks: readonly Task[],
  { plugins, signal, onDone }: PerformOptions,
): AsyncGenerator<TaskResult> {
  const { perform } = await import('./task.js')
  // Signals and timers come between two cells.
  const stopped = async (): Promise<boolean> => {
    await new Promise(setImmediate)
    return signal?.aborted === true
  }
  for (const task of tasks) {
    if (await stopped()) return
    const result = await perform(task, plugins, stopped)
    onDone?.(result)
    yield result
  }
}

async function* inWorkers(
  tasks: readonly Task[],
  { workers, source, signal, onDone }: PerformOptions,
): AsyncGenerator<TaskResult> {
  const { Tinypool } = await import('tinypool')
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const pool = new Tinypool({ filename: WORKER.href, minThreads: workers, maxThreads: workers })
  const ended = abortion(signal, stop)
  try {
    const results = tasks.map(async (task): Promise<TaskResult | null> => {
      const order: WorkerOrder = { task, source, stop }
      const answer: WorkerAnswer = await pool.run(order, { name: 'work' })
      if (answer !== null && 'refused' in answer) throw userError(answer.refused)
      if (answer !== null) onDone?.(answer)
      return answer
    })
    // Whoever waits for the first of them must not let the others' errors go unhandled.
    for (const result of results) result.catch(() => undefined)
    for (const result of results) {
      const done = await Promise.race([result, ended])
      if (done !== null) yield done
    }
  } finally {
    Atomics.store(stop, 0, 1)
    await pool.destroy()
  }
}

/** Tells the workers to stop, and, when they had time to, resolves to null. */
function abortion(signal: AbortSignal | undefined, stop: Int32Array): Promise<null> {
  return new Promise((resolve) => {
    const end = (): void => {
      Atomics.store(stop, 0, 1)
      setTimeout(resolve, GRACE, null).unref()
    }
    if (signal?.aborted) end()
    else signal?.addEventListener('abort', end, { once: true })
  })
}
