import { type FoundViolation, type SearchOptions, type SearchResult, searchAsync } from '@trapframe/explore'
import type { PreparedCell } from '../session/prepare.js'
import { checkpointFrom, checkpointTo } from './checkpoint-file.js'
import type { Counterexample, SearchJob, SearchOutcome } from './job.js'
import { searchPath } from './path.js'
import { type SearchQueue, searchThroughQueue } from './queue.js'
import { searchOptions } from './search-options.js'
import { searchInWorkers, type Workers } from './workers.js'

/** What a search does meanwhile; no part of the job. */
export interface SearchHooks extends Pick<SearchOptions, 'onProgress' | 'progressEvery' | 'signal'> {
  /** The file that the state of the search goes to, and the one that it comes from. */
  readonly checkpoint?: string | undefined
  readonly resume?: string | undefined
  /** Processes that search in the place of this one. */
  readonly workers?: Workers | undefined
  /** A queue whose workers search in the place of this process. */
  readonly queue?: SearchQueue | undefined
}

/** Searches a cell. The cell's machine comes back to where it was. */
export async function performJob(
  prepared: PreparedCell,
  job: SearchJob,
  { checkpoint, resume, workers, queue, ...hooks }: SearchHooks = {},
): Promise<SearchOutcome> {
  const { machine, boot, cell } = prepared
  const options = searchOptions(prepared, job.plan)
  const meanwhile = {
    ...hooks,
    ...(checkpoint === undefined ? {} : { checkpoint: checkpointTo(checkpoint) }),
    ...(resume === undefined ? {} : { resume: checkpointFrom(resume) }),
  }
  const { violations, ...known } = await (queue !== undefined
    ? searchThroughQueue(prepared, job, queue, meanwhile)
    : workers === undefined
      ? searchAsync(machine, boot, { ...options, ...meanwhile })
      : searchInWorkers(prepared, job, workers, meanwhile))
  return { ...known, job, axes: cell.axes, counterexamples: firstOfEach(violations, options) }
}

/** The shortest counterexample to each invariant. */
function firstOfEach(found: SearchResult['violations'], options: SearchOptions): Counterexample[] {
  const byInvariant = new Map<string, FoundViolation[]>()
  for (const one of found) byInvariant.set(one.invariant, [...(byInvariant.get(one.invariant) ?? []), one])
  return [...byInvariant.values()].map(([first, ...others]) => {
    const { path, ...facts } = first!
    return { ...facts, path: searchPath(path, options.events ?? []), others: others.length }
  })
}
