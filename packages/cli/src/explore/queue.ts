import { createHash } from 'node:crypto'
import { readFile, realpath } from 'node:fs/promises'
import { isAbsolute, relative, sep } from 'node:path'
import type { PortionOptions, PreparedSearch, SearchResult } from '@trapframe/explore'
import { UsageError } from '../error/usage-error.js'
import { isTypeScript } from '../run/files.js'
import type { PreparedCell } from '../session/prepare.js'
import type { SearchJob } from './job.js'
import { searchOptions } from './search-options.js'

/** What workers that a queue tells of a search are given: data, nothing of which says what code they run. */
export interface QueueOrder {
  readonly job: SearchJob
  /** Labels of the cell's host at which the scenario's own code stands. */
  readonly replaced: readonly string[]
  /** SHA-256 of the scenario's text. */
  readonly text: string
}

/** A queue that hands out the work of a search. */
export interface SearchQueue {
  readonly url: string
  readonly say: (message: string) => void
}

/** The optional package. @throws UsageError where it is not installed */
export async function queuePackage(): Promise<typeof import('@trapframe/queue')> {
  try {
    return await import('@trapframe/queue')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new UsageError('--queue needs the package @trapframe/queue', 'npm install @trapframe/queue', error)
  }
}

/**
 * Searches a cell by the workers of a queue.
 *
 * @throws UsageError where the package is not installed, or workers would not take the scenario
 */
export async function searchThroughQueue(
  prepared: PreparedCell,
  job: SearchJob,
  { url, say }: SearchQueue,
  options: PortionOptions,
): Promise<SearchResult> {
  const { exploreByQueue } = await queuePackage()
  const { machine, boot, programs } = prepared
  const file = await shareablePath(job.file)
  const order: QueueOrder = { job: { ...job, file }, replaced: [...programs.replaced], text: await textHash(job.file) }
  const search: PreparedSearch = { machine, boot, options: searchOptions(prepared, job.plan) }
  const said = new Set<string>()
  const once = (message: string): void => {
    if (!said.has(message)) say(message)
    said.add(message)
  }
  return exploreByQueue(search, order, {
    ...options,
    url,
    onNobody: () =>
      once(`no worker is at the queue; start some: trapframe explore worker --queue ${withoutPassword(url)}`),
    onLoss: () => say('a worker was lost: another one has its work'),
    onError: ({ message }) => once(`${withoutPassword(url)}: ${message}`),
  })
}

/**
 * The path of a scenario that a queue's workers may read: YAML below the working folder, which is theirs.
 *
 * @throws UsageError for any other
 */
export async function shareablePath(file: string): Promise<string> {
  const path = relative(await realpath('.'), await realpath(file))
  if (!isAbsolute(path) && path.split(sep)[0] !== '..' && !isTypeScript(path)) return path.split(sep).join('/')
  throw new UsageError(
    `${file} cannot be searched through a queue`,
    'workers read YAML below their working folder: start all in the same folder of the same files',
  )
}

/** SHA-256 of a file. */
export async function textHash(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}

/** A place as it may be shown. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//')
}
