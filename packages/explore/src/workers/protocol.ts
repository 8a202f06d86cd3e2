import type { Boot, Machine } from '@trapframe/core'
import type { SearchOptions } from '../search/options.js'
import type { StopReason } from '../search/result.js'
import type { Batch, ShardState } from '../search/shard.js'

/**
 * A search as data. Machines and events are made of functions, which cannot be sent to a thread; a module that makes them
 * can be named.
 */
export interface SearchJob {
  /** URL of a module that exports `searchSetup`: see {@link SearchSetup}. */
  readonly module: string
  /** What it is given: anything that survives a structured clone. */
  readonly data: unknown
}

/**
 * Makes what a job describes: a machine in the state in which the search begins, and what to try. Called once in each thread,
 * it must make the same thing each time.
 */
export type SearchSetup = (data: unknown) => PreparedSearch | Promise<PreparedSearch>

/** What a worker searches in: the same machine and options as in the first thread. */
export interface PreparedSearch {
  readonly machine: Machine
  readonly boot: Boot
  readonly options: SearchOptions
}

/** What the coordinator asks of a worker. */
export type Request =
  | {
      readonly kind: 'start'
      readonly job: SearchJob
      readonly index: number
      readonly shards: number
      readonly resume: readonly ShardState[] | null
    }
  | { readonly kind: 'level'; readonly events: number; readonly steps: number }
  /** What other shards met in the level that was just expanded. */
  | { readonly kind: 'receive'; readonly events: number; readonly steps: number; readonly batches: readonly Batch[] }
  /** All levels with this number of events are done. */
  | { readonly kind: 'layer' }
  | { readonly kind: 'save' }
  | { readonly kind: 'way'; readonly lo: number; readonly hi: number }

/** What it answers. */
export type Answer =
  | { readonly kind: 'started'; readonly key: string; readonly next: number }
  | { readonly kind: 'expanded'; readonly outgoing: readonly (Batch | null)[] }
  | ({ readonly kind: 'received' } & Standing)
  | { readonly kind: 'layer'; readonly next: number }
  | { readonly kind: 'saved'; readonly state: ShardState; readonly bytes: number; readonly waitingBytes: number }
  | { readonly kind: 'way'; readonly way: { readonly lo: number; readonly hi: number; readonly made: number } | null }
  | { readonly kind: 'failed'; readonly message: string; readonly user: boolean }

/** Where a shard stands. */
export interface Standing {
  /** Fewest steps for which it has something to do; -1 for none with this number of events. */
  readonly next: number
  /** States that wait for the next number of events. */
  readonly kept: number
  readonly states: number
  readonly passed: number
  readonly transitions: number
  readonly waiting: number
  readonly violations: number
  readonly stopped: readonly StopReason[]
}
