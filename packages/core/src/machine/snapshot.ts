import type { Frame } from '../memory/physical.js'

/**
 * The state of a machine at one moment: its flat state, its frames and its page tables. Immutable; frames are shared
 * with the machine until one side writes.
 */
export interface Snapshot {
  /** Hash of the layout: a snapshot fits machines with the same one. */
  readonly layout: string
  readonly state: Int32Array
  readonly frames: readonly Frame[]
  readonly tables: ReadonlyMap<bigint, ReadonlyMap<number, number>>
}
