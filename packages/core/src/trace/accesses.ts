import type { Machine } from '../machine/machine.js'

/** How often memory was accessed, and how many bytes that were. */
export interface AccessCount {
  readonly count: number
  readonly bytes: number
}

/** What deliveries read from memory and wrote to it. */
export interface Accesses {
  readonly read: AccessCount
  readonly written: AccessCount
}

/**
 * Counts the accesses to memory that CPUs make on their own while they deliver events during `run`: descriptors, TSS and
 * tokens that are read, frames that are written (A15). What instructions load and store is not counted, nor are fetches.
 * An access across two pages counts once.
 */
export function countAccesses(machine: Machine, run: () => void): Accesses {
  const read = { count: 0, bytes: 0 }
  const written = { count: 0, bytes: 0 }
  const release = machine.observe({
    loaded(_cpu, _lo, _hi, bytes) {
      read.count++
      read.bytes += bytes
    },
    stored(_cpu, _lo, _hi, bytes, by) {
      if (by !== 'delivery') return
      written.count++
      written.bytes += bytes
    },
  })
  try {
    run()
  } finally {
    release()
  }
  return { read, written }
}
