import { type Boot, type Machine, MachineError } from '@trapframe/core'
import { clobberOf, framesBefore, framesDelivered, liveFrames } from '../ghost/frame.js'
import { settle } from '../ghost/settle.js'
import { INVARIANTS, type Invariant, type Violation } from './invariant.js'

/**
 * Judges every CPU after a step and begins the next one: to be called after each step, once. What one invariant reports
 * it does not report again for the same frame.
 *
 * @param names which invariants count; all of them where it is left out
 * @throws MachineError for a name that no plugin contributes
 */
export function checkInvariants(machine: Machine, boot: Boot, names?: readonly string[]): readonly Violation[] {
  const invariants = selectInvariants(machine, names)
  const violations: Violation[] = []
  for (const cpu of machine.cpus) {
    const context = {
      machine,
      cpu,
      boot,
      before: framesBefore(cpu),
      after: liveFrames(cpu),
      delivered: framesDelivered(cpu),
      clobber: clobberOf(cpu),
    }
    for (const invariant of invariants) {
      const violation = invariant.check(context)
      if (violation !== null) violations.push(violation)
    }
  }
  for (const cpu of machine.cpus) settle(cpu)
  return violations
}

function selectInvariants(machine: Machine, names: readonly string[] | undefined): readonly Invariant[] {
  const all = machine.contributions(INVARIANTS).map(({ value }) => value)
  return names === undefined
    ? all
    : names.map((name) => {
        const invariant = all.find((candidate) => candidate.name === name)
        if (invariant !== undefined) return invariant
        throw new MachineError('unknown-invariant', `unknown invariant "${name}"`, {
          hint: `known are ${all.map((known) => known.name).join(', ')}`,
        })
      })
}
