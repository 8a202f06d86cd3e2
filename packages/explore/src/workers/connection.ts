import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { MachineError } from '@trapframe/core'
import type { Answer, Request } from './protocol.js'

/** The worker's code, beside this chunk of the built package. */
const WORKER = new URL('./worker.js', import.meta.url)

/** How long the end of a worker may take to become known after its pipe broke, in milliseconds. */
const EXIT_FOLLOWS_MS = 1000

/** A worker is gone, whatever ended it. */
export class WorkerLost extends Error {}

/** What a worker answers to each kind of request. */
type AnswerTo<K extends Request['kind']> = Extract<
  Answer,
  { kind: { start: 'started'; level: 'expanded'; receive: 'received'; layer: 'layer'; save: 'saved'; way: 'way' }[K] }
>

/**
 * One worker, in a thread or in a process. A thread shares memory and starts faster; a process can be killed from outside,
 * or run out of memory, without taking the others along.
 */
export class Connection {
  readonly #target: Worker | ChildProcess
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null
  #lost: WorkerLost | null = null

  constructor(processes: boolean) {
    this.#target = processes
      ? fork(fileURLToPath(WORKER), { serialization: 'advanced', execArgv: [] })
      : new Worker(WORKER, { execArgv: [] })
    this.#target.on('message', (answer: Answer) => {
      const waiting = this.#waiting
      this.#waiting = null
      waiting?.resolve(answer)
    })
    this.#target.on('error', (error: Error) => this.#loseUnlessItSaysWhy(`the worker failed: ${error.message}`))
    this.#target.on('exit', (code: number | null, signal?: string | null) =>
      this.#lose(`the worker ended with ${signal ?? `status ${code}`}`),
    )
  }

  /** Process id, or null for a thread. */
  get pid(): number | null {
    return 'pid' in this.#target ? (this.#target.pid ?? null) : null
  }

  /** @throws WorkerLost when the worker is gone, MachineError or Error for what failed in it */
  async ask<K extends Request['kind']>(request: Extract<Request, { kind: K }>): Promise<AnswerTo<K>> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      if (this.#lost !== null) {
        reject(this.#lost)
        return
      }
      this.#waiting = { resolve, reject }
      if ('postMessage' in this.#target) this.#target.postMessage(request)
      else this.#target.send(request, (error) => error && this.#loseUnlessItSaysWhy(error.message))
    })
    if (answer.kind !== 'failed') return answer as AnswerTo<K>
    throw answer.user ? new MachineError('search-failed', answer.message) : new Error(answer.message)
  }

  /** Ends the worker at once. */
  async end(): Promise<void> {
    this.#target.removeAllListeners('exit')
    this.#target.on('error', () => {})
    if ('terminate' in this.#target) await this.#target.terminate()
    else this.#target.kill('SIGKILL')
  }

  /** A pipe that breaks may be known before the end of the process behind it, which says what has happened. */
  #loseUnlessItSaysWhy(message: string): void {
    setTimeout(() => this.#lose(message), EXIT_FOLLOWS_MS)
  }

  #lose(message: string): void {
    this.#lost ??= new WorkerLost(message)
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(this.#lost)
  }
}
