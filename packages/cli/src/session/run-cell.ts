import {
  ARRIVING,
  type Cpu,
  canStep,
  checkedStep,
  hasDeliverableEvent,
  MachineError,
  nextCpu,
  type Observer,
  type Place,
  STATUS,
  step,
  type TraceEntry,
  UserError,
} from '@trapframe/core'
import { checkInvariants, INVARIANTS } from '@trapframe/explore'
import { ScenarioError } from '../error/scenario-error.js'
import type { Scenario } from '../scenario/scenario.js'
import { DELIVERY_VIEWS } from '../verbs/slots.js'
import type { CellRun, Outcome, Step, Violation } from './cell-run.js'
import { Moments } from './moments.js'
import type { PreparedCell } from './prepare.js'
import { Recorder } from './recorder.js'
import { regionFinder, symbolizer } from './symbols.js'

export interface RunOptions {
  /** Each step is made twice, from a snapshot, and must have the same result. */
  readonly check?: boolean
  /** Keep every step, not only the deliveries. */
  readonly history?: boolean
  /** Sees the run too. */
  readonly watcher?: RunWatcher
}

/** Sees a run step by step, beside the recorder. */
export interface RunWatcher {
  readonly observer: Observer
  /** A step was made, and nothing else has happened since. */
  stepped(step: Step, cpu: Cpu): void
}

/** What a run leaves: the run itself, and injections whose moment did not come. */
export interface Finished {
  readonly run: CellRun
  readonly missed: readonly PreparedCell['injections'][number][]
}

/**
 * Runs a prepared cell to its end. The cell's machine is used up by it.
 *
 * @throws ScenarioError when the run meets what the model does not have, with the line of the program where there is one
 */
export function runCell(prepared: PreparedCell, options: RunOptions = {}): Finished {
  const { scenario, cell, machine, boot, programs, injections, expectations, bounds } = prepared
  const views = new Map(machine.contributions(DELIVERY_VIEWS).map(({ name, value }) => [name, value] as const))
  const regionOf = regionFinder(machine, boot)
  const recorder = new Recorder(views, regionOf)
  const moments = new Moments(injections, machine.cpus)
  const history: Step[] = []
  const violations: Violation[] = []
  const trace: TraceEntry[] = []
  const invariants = judgedInvariants(prepared)
  const observers = [recorder.observer, ...expectations.flatMap(({ check }) => check.observer ?? [])]
  if (options.watcher !== undefined) observers.push(options.watcher.observer)
  const release = observers.map((observer) => machine.observe(observer))
  if (expectations.some(({ check }) => check.trace)) release.push(machine.trace.record((entry) => trace.push(entry)))

  const ready = (cpu: Cpu): boolean => cell.start.length > 0 && canStep(cpu) && (wakes(cpu) || !programs.atEnd(cpu))

  let taken = 0
  try {
    // What the boot has done is not a step of the run.
    checkInvariants(machine, boot, invariants)
    for (const cpu of machine.cpus) moments.arrived(cpu)
    let last = machine.cpus.length - 1
    while (taken < scenario.steps) {
      const number = taken + 1
      moments.beforeStep(number)
      const position = { steps: taken, last }
      let chosen = nextCpu(scenario.schedule, position, machine.cpus.length, (id) => ready(machine.cpus[id]!))
      if (chosen === null) {
        if (!moments.awaitsStep(number)) break
        chosen = last
      }
      last = chosen
      taken = number
      const cpu = machine.cpus[chosen]!
      const source = programs.lines.get(cpu.rip)
      const injected = moments.takeFresh(chosen)
      recorder.begin(number, cpu)
      const kind = ready(cpu) ? advance(prepared, cpu, options.check === true) : 'idle'
      if (kind !== 'idle') moments.stepped(cpu)
      const entry = recorder.end(kind, injected, source)
      if (options.history) history.push(entry)
      options.watcher?.stepped(entry, cpu)
      for (const { invariant, message, cpu: id } of checkInvariants(machine, boot, invariants)) {
        // Reports want the first of each, and some more.
        if (violations.length > MOST_VIOLATIONS && violations.some((one) => one.invariant === invariant)) continue
        violations.push({ invariant, message, cpu: id, step: number })
      }
      const { deliveries, log } = recorder
      bounds.checkStep(number, deliveries.length + log.length + trace.length + history.length, cell.name)
      if (kind !== 'idle') moments.arrived(cpu)
    }
  } finally {
    for (const end of release) end()
  }

  const outcomes = machine.cpus.map((cpu) => outcomeOf(cpu, ready(cpu)))
  const nameOf = symbolizer(programs.labels)
  const run: CellRun = {
    machine,
    boot,
    labels: programs.labels,
    outcome: WORST.find((outcome) => outcomes.includes(outcome)) ?? 'done',
    outcomes,
    steps: taken,
    history,
    deliveries: recorder.deliveries,
    violations,
    invariants,
    log: [...boot.log, ...recorder.log],
    trace,
    nameOf,
    regionOf,
  }
  return { run, missed: moments.missed() }
}

/** Names of the invariants that a run judges: those of every run, and those that its expectations are about. */
function judgedInvariants({ machine, expectations }: PreparedCell): readonly string[] {
  const wanted = new Set(expectations.flatMap(({ check }) => check.invariants ?? []))
  return machine
    .contributions(INVARIANTS)
    .filter(({ name, value }) => value.onRequest !== true || wanted.has(name))
    .map(({ name }) => name)
}

const MOST_VIOLATIONS = 10_000

const WORST: readonly Outcome[] = ['shutdown', 'running', 'halted', 'done']

/** Whether a CPU that has come to the end of its program goes on nevertheless. */
const wakes = (cpu: Cpu): boolean => hasDeliverableEvent(cpu) || (cpu.words[STATUS]! & ARRIVING) !== 0

function outcomeOf(cpu: Cpu, ready: boolean): Outcome {
  if (cpu.isShutdown) return 'shutdown'
  if (ready) return 'running'
  return cpu.halted ? 'halted' : 'done'
}

/** One step; an error of the model's limits is told at the line of the program that met them. */
function advance({ scenario, cell, programs }: PreparedCell, cpu: Cpu, check: boolean): Step['kind'] {
  const line = programs.lines.get(cpu.rip)
  try {
    return check ? checkedStep(cpu.machine, cpu) : step(cpu)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    const place = line === undefined ? scenario.places.key(['name']) : statementPlace(scenario, line.line)
    const where = cell.name === '' ? '' : ` (in cell ${cell.name})`
    throw new ScenarioError(`${error.message}${where}`, place, error.hint ?? hintFor(error), error)
  }
}

function hintFor(error: UserError): string | undefined {
  return error instanceof MachineError ? undefined : 'trapframe stops rather than guess what it would do'
}

/** The first word of a line of the file. */
function statementPlace({ file, places }: Scenario, line: number): Place {
  const text = places.source.split(/\r?\n/)[line - 1] ?? ''
  const column = text.length - text.trimStart().length + 1
  return { file, line, column, length: /^\S+/.exec(text.trimStart())?.[0].length ?? 1 }
}
