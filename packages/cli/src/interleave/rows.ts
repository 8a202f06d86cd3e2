import type { CellSpec } from '../scenario/scenario.js'
import type { Boundary, Effect } from './disturb.js'

/** What became of one event at all boundaries of one cell. */
export interface EventRow {
  readonly event: string
  readonly effects: readonly Effect[]
}

/** One cell of the scenario, disturbed everywhere. */
export interface CellRows {
  readonly cell: CellSpec
  readonly boundaries: readonly Boundary[]
  readonly events: readonly EventRow[]
}

/** A sum over the boundaries of a row. */
export interface Sums {
  readonly boundaries: number
  /** The frame lay on a stack of the CPU. */
  readonly good: number
  /** It did not: how often, by what lies there. */
  readonly bad: ReadonlyMap<string, number>
  /** Live frames that lost bytes: how often, by whose they were. */
  readonly clobbered: ReadonlyMap<string, number>
  /** Runs that did not end as without the event: how often, by how they did. */
  readonly otherwise: ReadonlyMap<string, number>
  /** The event was blocked at the boundary and came later. */
  readonly waited: number
  /** It never came. */
  readonly never: number
}

/** Sums a row up. */
export function sums({ effects }: EventRow): Sums {
  const bad = new Map<string, number>()
  const clobbered = new Map<string, number>()
  const otherwise = new Map<string, number>()
  const add = (map: Map<string, number>, key: string): void => {
    map.set(key, (map.get(key) ?? 0) + 1)
  }
  for (const { frame, clobbered: whose, otherwise: how } of effects) {
    if (frame !== null && !frame.good) add(bad, frame.region ?? 'nobody’s')
    for (const event of whose) add(clobbered, event)
    if (how !== null) add(otherwise, how)
  }
  return {
    boundaries: effects.length,
    good: effects.filter(({ frame }) => frame?.good === true).length,
    bad,
    clobbered,
    otherwise,
    waited: effects.filter(({ waited }) => waited).length,
    never: effects.filter(({ frame }) => frame === null).length,
  }
}

/** Runs of neighbouring boundaries among those that a condition picks, each by its first and last name. */
export function stretches(
  all: readonly Boundary[],
  effects: readonly Effect[],
  picked: (effect: Effect) => boolean,
): readonly { readonly first: string; readonly last: string; readonly count: number }[] {
  const order = new Map(all.map(({ step }, index) => [step, index]))
  const found: { first: string; last: string; count: number; end: number }[] = []
  for (const { boundary } of effects.filter(picked)) {
    const index = order.get(boundary.step)!
    const open = found.at(-1)
    if (open !== undefined && open.end === index - 1) {
      open.last = boundary.name
      open.count++
      open.end = index
    } else {
      found.push({ first: boundary.name, last: boundary.name, count: 1, end: index })
    }
  }
  return found.map(({ first, last, count }) => ({ first, last, count }))
}
