import { INVARIANTS } from '@trapframe/explore'
import { plural } from '../../report/plural.js'
import { oneOrMore, text } from '../../scenario/schema.js'
import type { CellRun, Violation } from '../../session/cell-run.js'
import { expectationVerb, type VerbContext } from '../slots.js'

const names = oneOrMore(text)

/** Refuses names that no plugin contributes. */
function known(wanted: readonly string[], context: VerbContext): readonly string[] {
  const all = context.machine.contributions(INVARIANTS).map(({ name }) => name)
  return wanted.map((name, i) => context.oneOf(name, all, 'invariants', wanted.length > 1 ? [i] : []))
}

const violationsOf = (run: CellRun, name: string): Violation | undefined =>
  run.violations.find(({ invariant }) => invariant === name)

/** A violation in words. */
export function violationText({ invariant, message, step }: Violation): string {
  return `${invariant}: ${message}, at step ${step}`
}

/** `violates: good-stack`. */
export const VIOLATES = expectationVerb({
  summary: 'the invariants are violated at least once each',
  schema: names,
  bind(wanted, context) {
    const list = known(wanted, context)
    return {
      invariants: list,
      verdict(run) {
        const kept = list.filter((name) => violationsOf(run, name) === undefined)
        return {
          holds: kept.length === 0,
          expected: `${list.join(', ')} violated`,
          actual:
            kept.length > 0
              ? `${kept.join(', ')} kept`
              : list.map((name) => violationText(violationsOf(run, name)!)).join('; '),
        }
      },
    }
  },
})

/** `keeps: no-clobber`. */
export const KEEPS = expectationVerb({
  summary: 'the invariants hold after every step',
  schema: names,
  bind(wanted, context) {
    const list = known(wanted, context)
    return {
      invariants: list,
      verdict(run) {
        const broken = list.flatMap((name) => violationsOf(run, name) ?? [])
        return {
          holds: broken.length === 0,
          expected: `${list.join(', ')} kept`,
          actual: broken.length > 0 ? broken.map(violationText).join('; ') : `kept in ${plural(run.steps, 'step')}`,
        }
      },
    }
  },
})
