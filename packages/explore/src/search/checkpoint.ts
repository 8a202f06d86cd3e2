import { deserialize, serialize } from 'node:v8'
import { type Machine, MachineError } from '@trapframe/core'
import type { Level } from './breadth-first.js'
import type { SearchOptions } from './options.js'
import type { ShardState } from './shard.js'

/** Change it when the meaning of a checkpoint changes, that of a packed state included. */
const VERSION = 1
const MAGIC = `trapframe search ${VERSION}\n`

/**
 * A search breadth first between two levels, as data: which states it has met and how, which ones wait, and what was counted
 * and found. Goes on in any number of threads.
 */
export interface SearchCheckpoint {
  readonly version: number
  /** What must be the same for the search to go on: the layout of the machine, where it begins, and the options. */
  readonly search: string
  readonly level: Level
  readonly shards: readonly ShardState[]
  /** Seconds that it took to get there. */
  readonly seconds: number
}

/**
 * What tells searches apart, as text. Functions among the options (`atEnd`, `alone`, `forget`) are not in it: giving the same
 * ones is up to the caller. The machine is where the search begins.
 */
export function searchKey(machine: Machine, options: SearchOptions): string {
  const { events = [], maxEvents, maxSteps, eventCpus, regions, invariants, deadStacks, straightLines } = options
  const said = {
    layout: machine.layout.hash,
    start: machine.hash(),
    events: events.map(({ name }) => name),
    ...{ maxEvents, maxSteps, eventCpus, regions, invariants, deadStacks, straightLines },
    symmetry: options.interchangeable,
    reductions: options.reductions ?? [],
  }
  return JSON.stringify(said, (_, value) => (typeof value === 'bigint' ? value.toString(16) : value))
}

/** A checkpoint as bytes, for a file. */
export function saveCheckpoint(checkpoint: SearchCheckpoint): Uint8Array {
  return Buffer.concat([Buffer.from(MAGIC), serialize(checkpoint)])
}

/** What {@link saveCheckpoint} made. @throws MachineError for bytes that are none, or of another version */
export function loadCheckpoint(bytes: Uint8Array): SearchCheckpoint {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.subarray(0, MAGIC.length).toString() !== MAGIC) throw unreadable()
  try {
    const checkpoint: unknown = deserialize(buffer.subarray(MAGIC.length))
    if (isCheckpoint(checkpoint)) return checkpoint
  } catch {
    // Said below.
  }
  throw unreadable()
}

/** @throws MachineError when a checkpoint is of another search */
export function requireSameSearch(checkpoint: SearchCheckpoint, key: string): void {
  if (checkpoint.version === VERSION && checkpoint.search === key) return
  throw new MachineError('foreign-checkpoint', 'the checkpoint is of another search', {
    hint: 'go on with the same scenario, options and versions of plugins',
  })
}

export function makeCheckpoint(
  search: string,
  level: Level,
  shards: readonly ShardState[],
  seconds: number,
): SearchCheckpoint {
  return { version: VERSION, search, level, shards, seconds }
}

const unreadable = (): MachineError =>
  new MachineError('bad-checkpoint', `this is no checkpoint of a search of version ${VERSION}`)

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function isCheckpoint(value: unknown): value is SearchCheckpoint {
  if (!isRecord(value) || value.version !== VERSION || typeof value.search !== 'string') return false
  if (!isRecord(value.level) || !Array.isArray(value.shards)) return false
  return value.shards.every((shard) => isRecord(shard) && shard.entries instanceof Int32Array && isRecord(shard.tally))
}
