import { createHash } from 'node:crypto'
import { serialize } from 'node:v8'
import { UserError } from '@trapframe/core'
import { PortionExpander, type SearchSetup } from '@trapframe/explore'
import { type Job, UnrecoverableError, Worker } from 'bullmq'
import { connectionTo, type QueuePlace, queueName } from './connection.js'
import { type PackedQuestion, packed, type Question, unpacked } from './message.js'

/** Times that one portion may be taken from a lost worker. One that ends every worker must not go round for ever. */
const MOST_LOSSES = 10
const LOST_AFTER = 30
/** Searches whose machines are kept. */
const MOST_SEARCHES = 4

/** What a worker of a queue needs. */
export interface WorkerOptions extends QueuePlace {
  /**
   * Makes the machine of a search from what its coordinator gave. What comes out of the queue is data, never code: what it
   * may name is up to this function.
   */
  readonly setup: SearchSetup
  /** Seconds without a sign of life after which a worker is lost and another one has its portion; default 30. */
  readonly lostAfterSeconds?: number
  /** A portion was taken. */
  onPortion?(): void
  /** Something is wrong with the connection; the worker goes on trying. */
  onError?(error: Error): void
}

/** A worker at work. */
export interface QueueWorker {
  /** Ends it when it is done with its portion. */
  end(): Promise<void>
}

/**
 * Expands portions of any search that comes out of the queue, one after the other, until it is ended. It keeps nothing that
 * anybody else would need: where it is killed, the queue gives its portion to another one.
 *
 * @throws MachineError for a place that is none
 */
export async function startQueueWorker(options: WorkerOptions): Promise<QueueWorker> {
  const searches = new Searches(options.setup)
  const lostAfter = (options.lostAfterSeconds ?? LOST_AFTER) * 1000
  const worker = new Worker<PackedQuestion, string>(queueName(options), (job) => answer(searches, job), {
    connection: connectionTo(options),
    lockDuration: lostAfter,
    stalledInterval: lostAfter,
    maxStalledCount: MOST_LOSSES,
  })
  worker.on('active', () => options.onPortion?.())
  worker.on('error', (error) => options.onError?.(error))
  return { end: () => worker.close() }
}

async function answer(searches: Searches, job: Job<PackedQuestion, string>): Promise<string> {
  const { search, portion } = unpacked(job.data.question) as Question
  try {
    const expander = await searches.expanderOf(search)
    return packed(await expander.expand(portion))
  } catch (error) {
    // The same portion would fail in the same way anywhere.
    const { message, stack } = error as Error
    throw new UnrecoverableError(error instanceof UserError ? message : (stack ?? message))
  }
}

/** The machines of the searches that were worked at lately. */
class Searches {
  readonly #setup: SearchSetup
  readonly #known = new Map<string, Promise<PortionExpander>>()

  constructor(setup: SearchSetup) {
    this.#setup = setup
  }

  expanderOf(search: unknown): Promise<PortionExpander> {
    const key = createHash('sha256').update(serialize(search)).digest('hex')
    const known = this.#known.get(key) ?? this.#make(search)
    this.#known.delete(key)
    this.#known.set(key, known)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MOST_SEARCHES) break
      this.#known.delete(oldest)
    }
    return known
  }

  async #make(search: unknown): Promise<PortionExpander> {
    return new PortionExpander(await this.#setup(search))
  }
}
