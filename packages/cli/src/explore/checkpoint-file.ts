import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { loadCheckpoint, type SearchOptions, saveCheckpoint } from '@trapframe/explore'
import { UsageError } from '../error/usage-error.js'

/** Between two checkpoints of a search that runs. */
const EVERY_SECONDS = 30

/** What makes a search write checkpoints to a file. The file is replaced at once, so that there is always a whole one. */
export function checkpointTo(file: string): NonNullable<SearchOptions['checkpoint']> {
  return {
    everySeconds: EVERY_SECONDS,
    save(checkpoint) {
      const next = `${file}.next`
      try {
        writeFileSync(next, saveCheckpoint(checkpoint))
        renameSync(next, file)
      } catch (error) {
        throw new UsageError(`${file} cannot be written: ${(error as Error).message}`, undefined, error)
      }
    },
  }
}

/** @throws UsageError for a file that cannot be read, MachineError for one that is no checkpoint */
export function checkpointFrom(file: string): NonNullable<SearchOptions['resume']> {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`, undefined, error)
  }
  return loadCheckpoint(bytes)
}
