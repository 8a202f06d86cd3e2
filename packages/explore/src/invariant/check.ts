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
  const judge = judgeOf(machine, boot, names)
  judge.readStacksAgain()
  const violations = judge.judge()
  judge.settle()
  return violations
}

const judges = new WeakMap<
  Boot,
  { readonly machine: Machine; readonly names: string | undefined; readonly judge: Judge }
>()

/** The judge of a boot, made once for the same names: it keeps nothing but what it was made from. */
function judgeOf(machine: Machine, boot: Boot, names: readonly string[] | undefined): Judge {
  const key = names?.join()
  const known = judges.get(boot)
  if (known !== undefined && known.machine === machine && known.names === key) return known.judge
  const judge = new Judge(machine, boot, names)
  judges.set(boot, { machine, names: key, judge })
  return judge
}
