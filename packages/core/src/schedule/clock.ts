import type { Cpu } from '../cpu/cpu.js'
import type { Machine } from '../machine/machine.js'
import type { RegionDeclaration } from '../state/layout.js'
import { DEADLINE } from '../state/registers.js'
import type { HappeningSource } from './choice.js'

/**
 * Simulated time, in nanoseconds from 0. It stands still while CPUs step, because a model without speeds cannot say how
 * long a step takes: time passes when somebody says so, and "the wait is over" is a choice like "CPU 1 steps". A CPU whose
 * software polls with a deadline therefore comes back to equal states, which a search needs visit once.
 *
 * It is core's because a search that knows no device must be able to make this choice.
 */
export const CLOCK_REGION: RegionDeclaration = { name: 'core/clock', scope: 'machine', bytes: 8, version: 1 }

/** The clock is the first region that is declared. */
const CLOCK = 0

const join = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)

/** What time it is. A host's code reads it in a routine. */
export function timeOf(machine: Machine): bigint {
  return join(machine.words[CLOCK]!, machine.words[CLOCK + 1]!)
}

/** Lets time pass. @throws RangeError for less than nothing, or beyond 64 bits */
export function advanceTime(machine: Machine, nanoseconds: bigint): void {
  const now = timeOf(machine) + nanoseconds
  if (nanoseconds < 0n || now >> 64n !== 0n) throw new RangeError(`time cannot advance by ${nanoseconds} ns`)
  machine.words[CLOCK] = Number(BigInt.asIntN(32, now))
  machine.words[CLOCK + 1] = Number(BigInt.asIntN(32, now >> 32n))
}

/** Says that the software of a CPU waits no longer than until a time: it then makes a difference that it comes. */
export function setDeadline(cpu: Cpu, time: bigint): void {
  cpu.set64(DEADLINE, time)
}

/** The wait of a CPU's software is over. */
export function clearDeadline(cpu: Cpu): void {
  cpu.set64(DEADLINE, 0n)
}

/** Until when a CPU's software waits; null when it does not, or that time has come. */
export function deadlineOf(cpu: Cpu): bigint | null {
  const { words } = cpu
  const lo = words[DEADLINE]!
  const hi = words[DEADLINE + 1]!
  if (lo === 0 && hi === 0) return null
  const time = join(lo, hi)
  return time > timeOf(cpu.machine) ? time : null
}

/** The earliest time that somebody waits for; null when nobody does. */
export function nextDeadline(machine: Machine): bigint | null {
  let earliest: bigint | null = null
  for (const cpu of machine.cpus) {
    const time = deadlineOf(cpu)
    if (time !== null && (earliest === null || time < earliest)) earliest = time
  }
  return earliest
}

/** Name of the happening that lets the earliest deadline come. */
export const TIMEOUT = 'timeout'

const NOTHING: readonly string[] = []

/** Time as something that may happen. */
export const TIMEOUTS: HappeningSource = {
  enabled: (machine) => (nextDeadline(machine) === null ? NOTHING : [TIMEOUT]),
  happen(machine) {
    const deadline = nextDeadline(machine)
    if (deadline !== null) advanceTime(machine, deadline - timeOf(machine))
  },
}
