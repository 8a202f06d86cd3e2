import type { Cpu } from '@trapframe/core'
import type { SearchOptions } from '@trapframe/explore'
import { UsageError } from '../error/usage-error.js'
import type { PreparedCell } from '../session/prepare.js'
import { symbolizer } from '../session/symbols.js'
import { eventsOf } from './events.js'
import type { SearchPlan } from './job.js'
import { addressOf } from './places.js'

/** Distinct places and events with which invariants are broken: after so many nothing new is learned. */
const MOST_VIOLATIONS = 500

/** The search options that a plan stands for on a cell's machine. @throws UsageError for what this machine does not have */
export function searchOptions(prepared: PreparedCell, plan: SearchPlan): SearchOptions {
  const { machine, programs, cell } = prepared
  const { labels } = programs
  const missing = plan.eventCpus?.find((id) => id >= machine.cpus.length)
  if (missing !== undefined) {
    throw new UsageError(`events should happen to CPU ${missing}, and the machine has ${machine.cpus.length}`)
  }
  const ends = plan.end.map((text) => addressOf(labels, text, `end "${text}"`))
  const runs = cell.start.length > 0
  return {
    strategy: plan.strategy,
    events: eventsOf(machine, labels, plan.events),
    maxEvents: plan.depth,
    maxViolations: MOST_VIOLATIONS,
    deadStacks: plan.deadStacks,
    // As in a run: a cell without a program takes events and nothing else.
    atEnd: (cpu: Cpu) => !runs || programs.atEnd(cpu) || ends.includes(cpu.rip),
    nameOf: symbolizer(labels),
    ...(plan.eventCpus === undefined ? {} : { eventCpus: plan.eventCpus }),
    ...(plan.regions === undefined ? {} : { regions: plan.regions.map(({ from, to }) => region(labels, from, to)) }),
    ...(plan.invariants === undefined ? {} : { invariants: plan.invariants }),
    ...(plan.reductions === undefined ? {} : { reductions: plan.reductions }),
    ...(plan.maxStates === undefined ? {} : { maxStates: plan.maxStates }),
    ...(plan.maxSteps === undefined ? {} : { maxSteps: plan.maxSteps }),
    ...(plan.maxSeconds === undefined ? {} : { maxSeconds: plan.maxSeconds }),
  }
}

function region(labels: ReadonlyMap<string, bigint>, from: string, to: string) {
  const address = addressOf(labels, from, `region from "${from}"`)
  const end = addressOf(labels, to, `region to "${to}"`)
  if (end > address) return { address, bytes: Number(end - address) }
  throw new UsageError(`the region from "${from}" to "${to}" is empty`)
}
