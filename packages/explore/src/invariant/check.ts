import type { Boot, Machine } from '@trapframe/core'
import type { Violation } from './invariant.js'
import { Judge } from './judge.js'

/**
 * Judges every CPU after a step and begins the next one: to be called after each step, once. What one invariant reports
 * it does not report again for the same frame.
 *
 * @param names which invariants count; all of them where it is left out
 * @throws MachineError for a name that no plugin contributes
 */
export function checkInvariants(machine: Machine, boot: Boot, names?: readonly string[]): readonly Violation[] {
  const judge = new Judge(machine, boot, names)
  const violations = judge.judge()
  judge.settle()
  return violations
}
