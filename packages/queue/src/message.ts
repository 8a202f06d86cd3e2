import { createHash } from 'node:crypto'
import { deserialize, serialize } from 'node:v8'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Portion } from '@trapframe/explore'

/** What a job asks: a portion of a search, and what the search is made of. */
export interface Question {
  /** Which run of a search asks. */
  readonly run: string
  /** What a worker's `setup` is given. */
  readonly search: unknown
  readonly portion: Portion
}

/** What a job holds. BullMQ keeps JSON, so that bytes are text. */
export interface PackedQuestion {
  readonly question: string
}

/** Data as text: as in a structured clone, then compressed. */
export const packed = (data: unknown): string => deflateRawSync(serialize(data), { level: 1 }).toString('base64')

/** What {@link packed} made. */
export const unpacked = (text: string): unknown => deserialize(inflateRawSync(Buffer.from(text, 'base64')))

/** Name of a job: the hash of what it asks, so that asking twice is asking once. */
export const nameOf = (question: string): string => `q${createHash('sha256').update(question).digest('hex')}`
