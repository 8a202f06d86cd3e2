import { parentPort } from 'node:worker_threads'
import { UserError } from '@trapframe/core'
import { searchKey } from '../search/checkpoint.js'
import { Exploration } from '../search/exploration.js'
import { Shard } from '../search/shard.js'
import type { Answer, Request, SearchSetup } from './protocol.js'

/** One shard of a search, in a thread or a process of its own: answers requests one after the other. */
class ShardServer {
  #exploration!: Exploration
  #shard!: Shard

  async answer(request: Request): Promise<Answer> {
    switch (request.kind) {
      case 'start':
        return this.#start(request)
      case 'level': {
        for (const _ of this.#shard.expand(request.events, request.steps));
        return { kind: 'expanded', outgoing: this.#shard.takeOutgoing() }
      }
      case 'receive':
        for (const batch of request.batches) this.#shard.receive(batch, request.events)
        return { kind: 'received', ...this.#standing(request.steps + 1) }
      case 'layer':
        this.#shard.endLayer()
        return { kind: 'layer', next: this.#shard.next(0) }
      case 'save':
        return {
          kind: 'saved',
          state: this.#shard.save(),
          bytes: this.#exploration.table.bytes,
          waitingBytes: this.#exploration.waitingBytes,
        }
      case 'way':
        return { kind: 'way', way: this.#exploration.table.wayTo(request.lo, request.hi) }
    }
  }

  async #start({ job, index, shards, resume }: Extract<Request, { kind: 'start' }>): Promise<Answer> {
    const { searchSetup } = (await import(job.module)) as { searchSetup: SearchSetup }
    const { machine, boot, options } = await searchSetup(job.data)
    this.#exploration = new Exploration(machine, boot, options)
    const key = searchKey(machine, options)
    machine.interchangeInHash(options.interchangeable ?? [])
    this.#shard = new Shard(this.#exploration, index, shards)
    if (resume === null) this.#shard.begin()
    else this.#shard.load(resume, index === 0)
    return { kind: 'started', key, next: this.#shard.next(0) }
  }

  #standing(from: number) {
    const { states, passed, transitions, findings } = this.#exploration
    const { waiting, kept, keep } = this.#shard
    return {
      next: this.#shard.next(from),
      kept: keep.count,
      states,
      passed,
      transitions,
      waiting: waiting.count + kept.count + keep.count,
      violations: findings.count,
      stopped: [...findings.stopped],
    }
  }
}

const server = new ShardServer()

async function serve(request: Request, reply: (answer: Answer) => void): Promise<void> {
  try {
    reply(await server.answer(request))
  } catch (error) {
    const { message, stack } = error as Error
    const user = error instanceof UserError
    reply({ kind: 'failed', message: user ? message : (stack ?? message), user })
  }
}

if (parentPort !== null) {
  const port = parentPort
  port.on('message', (request: Request) => void serve(request, (answer) => port.postMessage(answer)))
} else if (process.send !== undefined) {
  process.on('message', (request: Request) => void serve(request, (answer) => process.send!(answer)))
  process.on('disconnect', () => process.exit())
}
