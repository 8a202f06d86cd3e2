import { type Boot, type Machine, PAGE_SIZE } from '@trapframe/core'

/** Where code of a scenario can go. */
export interface Room {
  /** Address of its first byte. */
  readonly origin: bigint
  /** Bytes that fit. */
  readonly capacity: number
  /** The privilege at which its end ends a run; left out, any. */
  readonly cpl?: number | undefined
}

/** The room at a label of the host: up to its next label, or to the end of what is mapped; none where a routine runs. */
export function roomAt(machine: Machine, boot: Boot, origin: bigint): Room {
  const next = [...boot.labels.values()].filter((address) => address > origin).sort((a, b) => (a < b ? -1 : 1))[0]
  const page = BigInt(PAGE_SIZE)
  let end = (origin / page) * page
  while ((next === undefined || end < next) && machine.cpu.space.flagsAt(end) !== 0) end += page
  if (next !== undefined && next < end) end = next
  const routine = machine.routineAt(Number(BigInt.asIntN(32, origin)), Number(BigInt.asIntN(32, origin >> 32n)))
  return { origin, capacity: routine === undefined && end > origin ? Number(end - origin) : 0 }
}
