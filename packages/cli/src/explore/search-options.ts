import type { Cpu, Machine } from '@trapframe/core'
import type { SearchOptions } from '@trapframe/explore'
import { UsageError } from '../error/usage-error.js'
import type { PreparedCell } from '../session/prepare.js'
import { symbolizer } from '../session/symbols.js'
import { eventsOf } from './events.js'
import { inSection } from './in-section.js'
import type { SearchPlan } from './job.js'
import { addressOf } from './places.js'

/** Distinct places and events with which invariants are broken: after so many nothing new is learned. */
const MOST_VIOLATIONS = 500

/**
 * The search options that a plan stands for on a cell's machine.
 *
 * @throws UserError for what this machine does not have, at its place where the scenario says it
 */
export function searchOptions(prepared: PreparedCell, plan: SearchPlan): SearchOptions {
  const { machine, programs, cell } = prepared
  const { labels } = programs
  const part = <T>(key: 'eventCpus' | 'events' | 'end' | 'regions', act: () => T): T =>
    inSection(prepared, plan, key, act)
  part('eventCpus', () => requireCpus(machine, plan.eventCpus))
  const events = part('events', () => eventsOf(machine, labels, plan.events))
  const ends = part('end', () => plan.end.map((text) => addressOf(labels, text, `end "${text}"`)))
  const regions = part('regions', () => plan.regions?.map(({ from, to }) => region(labels, from, to)))
  const runs = cell.start.length > 0
  return {
    strategy: plan.strategy,
    events,
    maxEvents: plan.depth,
    maxViolations: MOST_VIOLATIONS,
    deadStacks: plan.deadStacks,
    // As in a run: a cell without a program takes events and nothing else.
    atEnd: (cpu: Cpu) => !runs || programs.atEnd(cpu) || ends.includes(cpu.rip),
    nameOf: symbolizer(labels),
    ...(plan.eventCpus === undefined ? {} : { eventCpus: plan.eventCpus }),
    ...(regions === undefined ? {} : { regions }),
    ...(plan.invariants === undefined ? {} : { invariants: plan.invariants }),
    ...(plan.reductions === undefined ? {} : { reductions: plan.reductions }),
    ...(plan.maxStates === undefined ? {} : { maxStates: plan.maxStates }),
    ...(plan.maxSteps === undefined ? {} : { maxSteps: plan.maxSteps }),
    ...(plan.maxSeconds === undefined ? {} : { maxSeconds: plan.maxSeconds }),
  }
}

function requireCpus({ cpus }: Machine, wanted: readonly number[] = []): void {
  const missing = wanted.find((id) => id >= cpus.length)
  if (missing === undefined) return
  throw new UsageError(`events should happen to CPU ${missing}, and the machine has ${cpus.length}`)
}

function region(labels: ReadonlyMap<string, bigint>, from: string, to: string) {
  const address = addressOf(labels, from, `region from "${from}"`)
  const end = addressOf(labels, to, `region to "${to}"`)
  if (end > address) return { address, bytes: Number(end - address) }
  throw new UsageError(`the region from "${from}" to "${to}" is empty`)
}
