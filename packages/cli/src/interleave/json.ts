import type { Interleaving } from './interleave-file.js'
import { type EventRow, sums } from './rows.js'

/** The object that `interleave --json` prints. Of the boundaries it has those where something is not as it should be. */
export function interleavingObject({ scenario, cells }: Interleaving): unknown {
  return {
    file: scenario.file,
    name: scenario.name,
    cells: cells.map(({ cell, boundaries, events }) => ({
      name: cell.name,
      axes: Object.fromEntries(
        Object.entries(cell.axes).map(([axis, value]) => [axis, typeof value === 'bigint' ? Number(value) : value]),
      ),
      boundaries: boundaries.length,
      events: events.map(eventObject),
    })),
  }
}

function eventObject(row: EventRow): unknown {
  const { bad, clobbered, otherwise, ...counts } = sums(row)
  return {
    event: row.event,
    ...counts,
    bad: Object.fromEntries(bad),
    clobbered: Object.fromEntries(clobbered),
    otherwise: Object.fromEntries(otherwise),
    at: row.effects
      .filter(
        ({ frame, clobbered: whose, otherwise: how }) => frame?.good === false || whose.length > 0 || how !== null,
      )
      .map(({ boundary, frame, clobbered: whose, otherwise: how }) => ({
        boundary: boundary.name,
        step: boundary.step,
        cpu: boundary.cpu,
        rip: boundary.rip,
        rsp: boundary.rsp,
        frame: frame && { address: frame.address, region: frame.region, good: frame.good },
        clobbered: whose,
        otherwise: how,
      })),
  }
}
