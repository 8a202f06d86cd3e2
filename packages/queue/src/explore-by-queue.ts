import { randomUUID } from 'node:crypto'
import { MachineError } from '@trapframe/core'
import {
  type ExpandedPortion,
  explorePortions,
  type PortionOptions,
  type PreparedSearch,
  type SearchResult,
} from '@trapframe/explore'
import { Queue, QueueEvents } from 'bullmq'
import { connectionTo, type QueuePlace, queueName } from './connection.js'
import { nameOf, type PackedQuestion, packed, type Question, unpacked } from './message.js'

/** Milliseconds between two looks at jobs of which no event was heard. */
const LOOK_EVERY = 2000
/** Events that the server keeps; answers are among them. */
const MOST_EVENTS_KEPT = 200

export interface QueueOptions extends QueuePlace, PortionOptions {
  /** Called now and then while portions wait and no worker is there. */
  onNobody?(): void
  /** A worker was lost; its portion goes to another one. */
  onLoss?(): void
  /** Something is wrong with the connection; the search goes on when it is there again. */
  onError?(error: Error): void
}

/**
 * The same as `search`, breadth first, expanded by the workers of a queue (`startQueueWorker`), on any number of machines.
 * The visited set is here; a portion is a job whose name is the hash of what it asks. A worker that is lost loses no work:
 * BullMQ notices that its job stalls and gives it to another one, and the answer is the same.
 *
 * @param prepared the search, as the workers' `setup` makes it from `search`
 * @param search what `setup` is given: anything that survives a structured clone
 * @throws MachineError for a place that is none, and when a worker cannot make the search
 */
export async function exploreByQueue(
  prepared: PreparedSearch,
  search: unknown,
  options: QueueOptions,
): Promise<SearchResult> {
  const asked = new AskedPortions(search, options)
  try {
    await asked.ready()
    return await explorePortions(prepared, (portion) => asked.ask(portion), options)
  } finally {
    await asked.end()
  }
}

interface Waiting {
  resolve(answer: string): void
  reject(error: Error): void
}

/** Portions that are in the queue, each with who waits for it. */
class AskedPortions {
  readonly #run = randomUUID()
  readonly #search: unknown
  readonly #options: QueueOptions
  readonly #queue: Queue<PackedQuestion, string>
  readonly #events: QueueEvents
  readonly #waiting = new Map<string, Waiting>()
  readonly #timer: NodeJS.Timeout

  constructor(search: unknown, options: QueueOptions) {
    const connection = connectionTo(options)
    this.#search = search
    this.#options = options
    this.#queue = new Queue(queueName(options), { connection, streams: { events: { maxLen: MOST_EVENTS_KEPT } } })
    this.#events = new QueueEvents(queueName(options), { connection })
    this.#queue.on('error', (error) => options.onError?.(error))
    this.#events.on('error', (error) => options.onError?.(error))
    this.#events.on('completed', ({ jobId, returnvalue }) => this.#waiting.get(jobId)?.resolve(String(returnvalue)))
    this.#events.on('failed', ({ jobId, failedReason }) => this.#waiting.get(jobId)?.reject(failed(failedReason)))
    this.#events.on('stalled', ({ jobId }) => this.#waiting.has(jobId) && options.onLoss?.())
    this.#timer = setInterval(() => void this.#look().catch((error: Error) => options.onError?.(error)), LOOK_EVERY)
  }

  async ready(): Promise<void> {
    await Promise.all([this.#queue.waitUntilReady(), this.#events.waitUntilReady()])
  }

  async ask(portion: Question['portion']): Promise<ExpandedPortion> {
    const question = packed({ run: this.#run, search: this.#search, portion } satisfies Question)
    const jobId = nameOf(question)
    try {
      const answer = await new Promise<string>((resolve, reject) => {
        this.#waiting.set(jobId, { resolve, reject })
        this.#queue.add('portion', { question }, { jobId }).catch(reject)
      })
      return unpacked(answer) as ExpandedPortion
    } finally {
      this.#waiting.delete(jobId)
      await this.#queue.remove(jobId)
    }
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    // Where the search failed, nobody waits for the others any more.
    await Promise.all([...this.#waiting.keys()].map((jobId) => this.#queue.remove(jobId)))
    await Promise.all([this.#queue.close(), this.#events.close()])
  }

  /** A search that is to stop does so when its level is done, which would be never. */
  #nobody(): void {
    this.#options.onNobody?.()
    if (this.#options.signal?.aborted !== true) return
    for (const { reject } of this.#waiting.values()) reject(failed('no worker is there'))
  }

  /** Events may be missed, when the connection was lost or the server has dropped old ones: jobs say it themselves. */
  async #look(): Promise<void> {
    if (this.#waiting.size === 0) return
    if ((await this.#queue.getWorkersCount()) === 0) this.#nobody()
    for (const [jobId, { resolve, reject }] of [...this.#waiting]) {
      const job = await this.#queue.getJob(jobId)
      if (job?.finishedOn === undefined) continue
      if (job.failedReason) reject(failed(job.failedReason))
      else resolve(job.returnvalue)
    }
  }
}

const failed = (reason: string): MachineError => new MachineError('search-failed', `a worker cannot go on: ${reason}`)
