import { dirname } from 'node:path'
import type { Scenario } from '../scenario/scenario.js'
import type { CellRun } from '../session/cell-run.js'
import type { OpenOptions } from '../session/open.js'
import type { PreparedCell } from '../session/prepare.js'
import { counterexampleText, type Moment } from './counterexample-text.js'
import type { Counterexample, PathInjection } from './job.js'
import { brokenAt, replay } from './replay.js'

/** A counterexample that was run again, from its text, on a fresh machine. */
export interface Replayed {
  readonly text: string
  readonly injections: readonly PathInjection[]
  readonly steps: number
}

type Timed = PathInjection & { readonly at: Moment }

/**
 * The text of a counterexample that `run` accepts and that breaks the same invariant, with as few injections as do; null
 * where what was found cannot be repeated so.
 *
 * Injections are left out one after the other as long as the invariant breaks without them. On a machine with one CPU the
 * moments of those that are left are then told by labels and addresses, with how often the CPU stood there.
 */
export async function replayable(
  scenario: Scenario,
  { cell, programs }: Pick<PreparedCell, 'cell' | 'programs'>,
  file: string,
  found: Counterexample,
  options: OpenOptions,
): Promise<Replayed | null> {
  const several = cell.machine.cpus > 1
  const tail = found.path.injections.some(({ step }) => step > found.path.cpus.length) ? 1 : 0
  const attempt = async (injections: readonly Timed[], steps: number) => {
    const text = counterexampleText(scenario, cell, {
      found,
      injections,
      cpus: several ? found.path.cpus.slice(0, steps) : undefined,
      steps,
      replaced: programs.replaced,
      folder: dirname(file),
    })
    const run = await replay(file, text, options)
    return { text, run, at: brokenAt(run, found.invariant), injections }
  }
  let best = await attempt(found.path.injections.map(byStep), found.path.cpus.length + tail)
  if (best.at === null) return null
  for (const one of best.injections) {
    const fewer = best.injections.filter((other) => other !== one)
    const without = await attempt(fewer, best.at!)
    if (without.at !== null) best = without
  }
  const steps = best.at!
  const injections = best.injections.filter(({ step }) => step <= steps)
  const numbered = await attempt(injections, steps)
  const named = several ? null : await attempt(byPlace(injections, numbered.run), steps)
  const { text } = named !== null && named.at === steps ? named : numbered
  return { text, injections, steps }
}

const byStep = (one: PathInjection): Timed => ({ ...one, at: { step: one.step, cpu: one.cpu } })

/** Moments by the place where the CPU stands, as the run of the same injections by steps has met it. */
function byPlace(injections: readonly PathInjection[], { history, labels }: CellRun): Timed[] {
  const names = new Map([...labels].map(([label, address]) => [address, label] as const).reverse())
  return injections.map((one) => {
    const arrivals = history.filter(({ number, before }) => number <= one.step && before.rip === one.rip).length
    const occurrence = arrivals > 1 ? { occurrence: arrivals } : {}
    const label = names.get(one.rip)
    const place = label === undefined ? { address: one.label } : { label }
    return { ...one, at: { ...place, ...occurrence } }
  })
}
