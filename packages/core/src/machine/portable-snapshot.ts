import { MachineError } from '../error.js'
import { ENTRY_FLAGS, ENTRY_INDEX_SHIFT } from '../memory/address-space.js'
import { Frame, PAGE_SIZE } from '../memory/physical.js'
import type { Machine } from './machine.js'
import type { Snapshot } from './snapshot.js'

/**
 * A snapshot that leaves its machine: plain data that survives a structured clone, so that a worker with a machine of the
 * same recipe can go on from it. Pages of zeros are left out.
 */
export interface PortableSnapshot {
  /** Hash of the layout, as in {@link Snapshot}. */
  readonly layout: string
  readonly state: Int32Array
  /** Physical page numbers (address / 4096), and their bytes one page after the other. */
  readonly pageNumbers: Float64Array
  readonly bytes: Uint8Array
  /** For each CR3: linear page number, physical page number and attributes of every mapping, three numbers each. */
  readonly tables: readonly { readonly cr3: bigint; readonly mappings: Float64Array }[]
}

/** Packs a snapshot of `machine` so that it can be sent elsewhere. Costs a copy of every page that is not all zeros. */
export function packSnapshot(machine: Machine, snapshot: Snapshot): PortableSnapshot {
  const { memory } = machine
  const used = [...snapshot.frames.entries()].filter(([, frame]) => !frame.isZero())
  const bytes = new Uint8Array(used.length * PAGE_SIZE)
  for (const [n, [, frame]] of used.entries()) bytes.set(frame.bytes, n * PAGE_SIZE)
  return {
    layout: snapshot.layout,
    state: snapshot.state.slice(),
    pageNumbers: Float64Array.from(used, ([index]) => memory.pageNumber(index)),
    bytes,
    tables: [...snapshot.tables].map(([cr3, table]) => ({
      cr3,
      mappings: Float64Array.from(
        [...table].flatMap(([page, entry]) => [
          page,
          memory.pageNumber(entry >> ENTRY_INDEX_SHIFT),
          entry & ENTRY_FLAGS,
        ]),
      ),
    })),
  }
}

/**
 * The snapshot for another machine of the same layout; `machine.restore` takes it.
 *
 * @throws MachineError when the layouts differ
 */
export function unpackSnapshot(machine: Machine, portable: PortableSnapshot): Snapshot {
  if (portable.layout !== machine.layout.hash) {
    throw new MachineError(
      'foreign-snapshot',
      `the snapshot has layout ${portable.layout}, this machine ${machine.layout.hash}`,
      { hint: 'make the machine from the same recipe, with the same versions of its plugins' },
    )
  }
  const { memory } = machine
  const frames: Frame[] = []
  for (const [n, pageNumber] of portable.pageNumbers.entries()) {
    const bytes = portable.bytes.slice(n * PAGE_SIZE, (n + 1) * PAGE_SIZE)
    frames[memory.indexOf(pageNumber)] = new Frame(bytes, 0)
  }
  const tables = new Map<bigint, ReadonlyMap<number, number>>()
  for (const { cr3, mappings } of portable.tables) {
    machine.space(cr3)
    const table = new Map<number, number>()
    for (let i = 0; i < mappings.length; i += 3) {
      table.set(mappings[i]!, (memory.indexOf(mappings[i + 1]!) << ENTRY_INDEX_SHIFT) | mappings[i + 2]!)
    }
    tables.set(cr3, table)
  }
  // Frames that this machine knows and the snapshot does not are zeros in it.
  const zero = new Frame(new Uint8Array(PAGE_SIZE), 0)
  const complete = Array.from({ length: memory.frames.length }, (_, index) => frames[index] ?? zero)
  return { layout: portable.layout, state: portable.state.slice(), frames: complete, tables }
}
