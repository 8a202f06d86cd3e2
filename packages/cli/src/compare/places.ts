import type { CellRun } from '../session/cell-run.js'

type Regions = Pick<CellRun, 'regionOf'>

/** An address as hexadecimal digits. */
export const plainPlace = (address: bigint): string => address.toString(16)

/**
 * A place near a stack: `primary stack …7f80`. On the stacks of the CPU the last digits say enough; elsewhere all of them are
 * shown, with whose memory it is.
 *
 * @param pointer the address is a stack pointer: what lies just below it counts
 */
export function nearPlace(run: Regions, address: bigint, cpu: number, pointer = true): string {
  const region = run.regionOf(pointer ? address - 1n : address, cpu)
  if (region === null) return `nobody's memory ${plainPlace(address)}`
  if (!region.isOwnStack) return `${region.name} memory ${plainPlace(address)}`
  return `${region.name} stack …${(address & 0xffffn).toString(16).padStart(4, '0')}`
}

/** Whether a stack pointer stands on a stack of its own CPU. */
export function onOwnStack(run: Regions, rsp: bigint, cpu: number): boolean {
  return run.regionOf(rsp - 1n, cpu)?.isOwnStack === true
}
