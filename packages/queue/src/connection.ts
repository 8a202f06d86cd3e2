import { MachineError } from '@trapframe/core'

/** Where the queue is: `redis://host:port`, with a user, a password and the number of a database where there are any. */
export interface QueuePlace {
  /** `redis://…`, or `rediss://…` over TLS. */
  readonly url: string
  /** Name of the queue; default `trapframe-explore`. Coordinators and workers that use the same one work together. */
  readonly name?: string
}

export const queueName = ({ name = 'trapframe-explore' }: QueuePlace): string => name

/** How BullMQ connects there. @throws MachineError for what is no such URL */
export function connectionTo({ url }: QueuePlace) {
  if (!/^rediss?:\/\/[^/\s]/.test(url) || !URL.canParse(url)) {
    throw new MachineError('bad-queue', `"${url}" is no place of a queue`, { hint: 'redis://HOST:PORT' })
  }
  // Workers wait for as long as the server is away.
  return { url, maxRetriesPerRequest: null }
}
