import { type Boot, type Cpu, type Machine, MachineError, RIP, type Snapshot, UserError } from '@trapframe/core'
import type { Violation } from '../invariant/invariant.js'
import { Judge } from '../invariant/judge.js'
import { reductionsOf } from '../reduction/reduction.js'
import { type ChoiceCode, Choices, choiceCpu, choiceHappening } from './choice.js'
import { Coverage } from './coverage.js'
import { DeadStacks } from './dead-stack.js'
import type { ExploreEvent } from './event.js'
import { type Finding, Findings, FORCED, type Limit, madeChoice, madeLine, type Origin, type Way } from './findings.js'
import { MOST_EVENTS, MOST_KINDS, MOST_STEPS, type SearchOptions } from './options.js'
import type { StopReason, TerminalKind } from './result.js'
import { BEGINNING, StateTable } from './state-table.js'
import { Transitions } from './transition.js'
import { type Visit, VisitedStates } from './visited-states.js'

/** Bits of a rank that hold steps; the events are above. Ranks order states by events first, then by steps. */
export const STEP_BITS = 24
export const rankOf = (events: number, steps: number): number => (events << STEP_BITS) | steps
export const eventsOf = (rank: number): number => rank >> STEP_BITS
export const stepsOf = (rank: number): number => rank & MOST_STEPS

/** What a search has counted and found, as data. */
export interface Tally {
  readonly counts: Readonly<
    Record<'passed' | 'arrivals' | 'duplicates' | 'depth' | 'mostEvents' | 'transitions', number>
  >
  readonly found: readonly (readonly [key: string, finding: Finding])[]
  readonly limits: readonly Limit[]
  readonly terminals: Readonly<Record<TerminalKind, number>>
  readonly stopped: readonly StopReason[]
  /** Boundaries, three words each. */
  readonly coverage: Int32Array
}

/** What strategies share: the machine, its transition relation, the visited set and what was found. */
export class Exploration {
  readonly machine: Machine
  readonly events: readonly ExploreEvent[]
  readonly maxEvents: number
  readonly maxSteps: number
  readonly straightLines: boolean
  readonly choices: Choices
  readonly coverage = new Coverage()
  /** The visited set of searches depth first, and of those breadth first. */
  readonly visited = new VisitedStates()
  readonly table = new StateTable()
  readonly findings = new Findings()
  readonly start: Snapshot
  readonly #transitions: Transitions
  readonly #exact: Map<bigint, Snapshot> | null
  /** Judged and not remembered. */
  passed = 0
  /** Arrivals at a state that was hashed, and at one that was known. */
  arrivals = 0
  duplicates = 0
  depth = 0
  mostEvents = 0
  /** Where the search is, for reports of its progress. */
  rank = 0
  waiting = 0
  /** The most that states which wait to be expanded took. */
  waitingBytes = 0

  constructor(machine: Machine, boot: Boot, options: SearchOptions) {
    const { events = [], maxEvents = 1, maxSteps = MOST_STEPS, regions } = options
    requireRange('maxEvents', maxEvents, 0, MOST_EVENTS)
    requireRange('maxSteps', maxSteps, 0, MOST_STEPS)
    requireRange('number of events', events.length, 0, MOST_KINDS)
    this.machine = machine
    this.events = events
    this.maxEvents = events.length === 0 ? 0 : maxEvents
    this.maxSteps = maxSteps
    this.straightLines = options.straightLines ?? true
    const injections = {
      events,
      cpus: options.eventCpus ?? machine.cpus.map(({ id }) => id),
      where: regions === undefined ? null : within(regions),
    }
    const { alone, forget, assumes } = reductionsOf(machine, boot, options)
    this.choices = new Choices(machine, injections, options.atEnd ?? null, alone)
    const judge = new Judge(machine, boot, options.invariants, assumes)
    const deadStacks = options.deadStacks === true ? new DeadStacks(machine, boot) : null
    this.#transitions = new Transitions(machine, judge, events, this.choices, this.coverage, deadStacks, forget)
    this.#exact = options.verify === true ? new Map() : null
    judge.settle()
    this.start = machine.snapshot()
  }

  /** What the strategy remembers states in. */
  get statesSeen(): { readonly size: number; readonly bytes: number } {
    return this.visited.size > 0 ? this.visited : this.table
  }

  get states(): number {
    return this.visited.size + this.table.size
  }

  get transitions(): number {
    return this.#transitions.made
  }

  /** What was counted and found so far, as data. */
  tally(): Tally {
    const { passed, arrivals, duplicates, depth, mostEvents, transitions, findings } = this
    const { entries, limits, terminals, stopped } = findings
    return {
      counts: { passed, arrivals, duplicates, depth, mostEvents, transitions },
      found: entries,
      limits: [...limits.values()],
      terminals,
      stopped: [...stopped],
      coverage: this.coverage.save(),
    }
  }

  /** Adds what another search, or this one before, has counted and found. */
  addTally({ counts, found, limits, terminals, stopped, coverage }: Tally): void {
    this.passed += counts.passed
    this.arrivals += counts.arrivals
    this.duplicates += counts.duplicates
    this.depth = Math.max(this.depth, counts.depth)
    this.mostEvents = Math.max(this.mostEvents, counts.mostEvents)
    this.#transitions.made += counts.transitions
    for (const [key, finding] of found) this.findings.add(key, finding)
    for (const { message, rip, rank, origin } of limits) this.findings.noteLimit(message, rip, rank, origin)
    // A budget that was used up may be a larger one now; what the model cannot do it still cannot.
    for (const reason of stopped) if (reason === 'steps') this.findings.stopped.add(reason)
    for (const kind of ['shutdown', 'halted', 'end'] as const) this.findings.terminals[kind] += terminals[kind]
    this.coverage.load(coverage)
  }

  /** Whether states are kept as snapshots, to be compared. */
  get keepsStates(): boolean {
    return this.#exact !== null
  }

  /** A handler was left in the last transition. */
  get returned(): boolean {
    return this.#transitions.returned
  }

  /**
   * Makes a transition and judges it. False where the path ends here: an invariant is broken, or the model does not go on.
   *
   * @param rank of the state that it leads to
   * @param origin how a report gets here, the choice included; its values are read now
   */
  make(choice: ChoiceCode, rank: number, origin: Origin): boolean {
    const { words } = this.machine.cpus[choiceHappening(choice) === 0 ? choiceCpu(choice) : 0]!
    const ripLo = words[RIP]!
    const ripHi = words[RIP + 1]!
    const steps = stepsOf(rank)
    if (steps > this.depth) this.depth = steps
    const events = eventsOf(rank)
    if (events > this.mostEvents) this.mostEvents = events
    let violations: readonly Violation[]
    try {
      violations = this.#transitions.make(choice)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      this.findings.noteLimit(error.message, join(ripLo, ripHi), rank, origin)
      return false
    }
    if (violations.length === 0) return true
    const rip = join(ripLo, ripHi)
    for (const violation of violations) this.findings.note(violation, rip, choice, rank, origin)
    return false
  }

  /** Makes a transition, and says what it broke. @throws UserError where the model does not go on */
  judged(choice: ChoiceCode): readonly Violation[] {
    return this.#transitions.make(choice)
  }

  repeat(choice: ChoiceCode): void {
    this.#transitions.repeat(choice)
  }

  /** Low half of the hash of the state that the machine is in; the high half is the machine's `hashHi`. */
  hash(): number {
    const lo = this.machine.hashHalves()
    if (this.#exact !== null) this.#compare(lo, this.machine.hashHi)
    return lo
  }

  /** Breadth first: remembers a state by its hash, and how it was reached. */
  meet(lo: number, hi: number, rank: number, { parentLo, parentHi, made }: Origin): Visit {
    const visit = this.table.visit(lo, hi, rank, parentLo, parentHi, made)
    this.arrivals++
    if (visit !== 'new') this.duplicates++
    return visit
  }

  /** Depth first: remembers the state that the machine is in, as known where neither events nor steps are more. */
  visit(rank: number): Visit {
    const lo = this.hash()
    const visit = this.visited.visit(lo, this.machine.hashHi, rank, STEP_BITS)
    this.arrivals++
    if (visit !== 'new') this.duplicates++
    return visit
  }

  /** The way to a finding. */
  wayOf({ made, parentLo, parentHi, way }: Origin): Way {
    if (way !== undefined) return way
    const back: number[] = []
    let at: { readonly lo: number; readonly hi: number; readonly made: number } = { lo: parentLo, hi: parentHi, made }
    for (; at.made !== BEGINNING; at = this.table.wayTo(at.lo, at.hi)!) back.push(at.made)
    return wayOfSteps(back.reverse())
  }

  /** Counts a state from which nobody can step: that which the machine is in, or one of a kind by its number. */
  noteTerminal(kind = -1): void {
    this.findings.terminals[kind < 0 ? terminalKind(this.machine) : TERMINAL_KINDS[kind]!]++
  }

  /** Kind of the state that the machine is in, from which nobody can step, as a number. */
  terminalNumber(): number {
    return TERMINAL_KINDS.indexOf(terminalKind(this.machine))
  }

  #compare(lo: number, hi: number): void {
    const key = (BigInt(lo) << 32n) | BigInt(hi >>> 0)
    const known = this.#exact!.get(key)
    if (known === undefined) this.#exact!.set(key, this.machine.snapshot())
    else if (!this.machine.equals(known)) throw new Error(`two different states have the hash ${key.toString(16)}`)
  }
}

/** A way from what was done in each remembered state. */
export const wayOfSteps = (steps: readonly number[]): Way =>
  steps.flatMap((made) => [madeChoice(made), ...new Array<number>(madeLine(made)).fill(FORCED)])

const join = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)

const TERMINAL_KINDS: readonly TerminalKind[] = ['shutdown', 'halted', 'end']

export function terminalKind(machine: Machine): TerminalKind {
  if (machine.cpus.some((cpu) => cpu.isShutdown)) return 'shutdown'
  return machine.cpus.every((cpu) => cpu.halted) ? 'halted' : 'end'
}

function within(regions: NonNullable<SearchOptions['regions']>): (cpu: Cpu) => boolean {
  return ({ rip }) => regions.some(({ address, bytes }) => rip >= address && rip < address + BigInt(bytes))
}

function requireRange(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  throw new MachineError('search-range', `${what} ${value} is not possible`, { hint: `${least} to ${most} are` })
}
