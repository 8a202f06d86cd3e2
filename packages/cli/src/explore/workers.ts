import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { canExploreInParallel, exploreParallel, type ParallelOptions, type SearchResult } from '@trapframe/explore'
import type { PluginSource } from '../run/pool.js'
import type { PreparedCell } from '../session/prepare.js'
import type { SearchJob } from './job.js'
import type { SearchOrder } from './search-setup.js'

/** Processes that search, and what they need to make the machine themselves. */
export interface Workers {
  readonly count: number
  readonly source: PluginSource
  readonly allowPlugins: boolean
  readonly allowFiles: boolean
  /** One of them is gone: all go back to what was kept last. */
  onLoss?(message: string): void
}

/** What each worker calls to make the machine, beside this chunk of the built package. */
const SETUP = new URL('./search-setup.js', import.meta.url)

/** Whether there are files that a worker can load: there are none in sources, nor where all is bundled into one file. */
export const canSearchInWorkers = (): boolean => canExploreInParallel() && existsSync(fileURLToPath(SETUP))

/**
 * Searches a cell in processes of their own. What a complete search finds is what `search` does; one that is killed
 * costs time and nothing else.
 */
export function searchInWorkers(
  { programs }: PreparedCell,
  job: SearchJob,
  { count, source, allowPlugins, allowFiles, onLoss }: Workers,
  options: ParallelOptions,
): Promise<SearchResult> {
  const replaced = [...programs.replaced]
  const data: SearchOrder = { job, source, allowPlugins, allowFiles, replaced, coordinator: process.pid }
  const told = onLoss === undefined ? {} : { onLoss }
  return exploreParallel({ module: SETUP.href, data }, { ...options, ...told, workers: count, processes: true })
}
