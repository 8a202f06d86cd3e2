import { type Boot, type Machine, MachineError, type Snapshot, UserError } from '@trapframe/core'
import { choiceCpu, choiceEvent, choiceHappening } from './choice.js'
import { Exploration, terminalKind } from './exploration.js'
import type { SearchOptions } from './options.js'
import type { TerminalKind } from './result.js'
import { nearestLabel } from './symbol.js'

/** One state, or the end of a path that broke an invariant or met a limit of the model. */
export interface GraphState {
  /** From 0, which is the start. */
  readonly id: number
  /** RIP of every CPU, by name. */
  readonly at: readonly string[]
  /** `open` where something can happen next. */
  readonly kind: 'open' | TerminalKind | 'violation' | 'limit'
  /** What was violated, or why the model does not go on. */
  readonly messages: readonly string[]
  /** Injected events on the way that led here first. */
  readonly events: number
}

/** One transition. */
export interface GraphEdge {
  readonly from: number
  readonly to: number
  /** The CPU that steps; null where something outside of the CPUs happens. */
  readonly cpu: number | null
  /** The injected event, or what happens instead of a step; null for a plain step. */
  readonly event: string | null
}

/** The states of a search and the transitions between them. */
export interface StateGraph {
  readonly states: readonly GraphState[]
  readonly edges: readonly GraphEdge[]
  /** There are more states than were asked for. */
  readonly truncated: boolean
}

interface Waiting {
  readonly id: number
  readonly snapshot: Snapshot
  readonly events: number
}

/**
 * All states that a search of the same options meets, each step and each injection a transition of its own: for pictures
 * of small searches. A state with fewer events left is another state. Keeps a snapshot of every state that waits.
 *
 * @param most states at most
 */
export function stateGraph(machine: Machine, boot: Boot, options: SearchOptions, most: number): StateGraph {
  const exploration = new Exploration(machine, boot, { ...options, straightLines: false })
  const { choices, events } = exploration
  const nameOf = options.nameOf ?? nearestLabel(boot.labels)
  const states: GraphState[] = []
  const edges: GraphEdge[] = []
  const known = new Map<string, number>()
  const waiting: Waiting[] = []
  let truncated = false

  const add = (kind: GraphState['kind'], messages: readonly string[], made: number): number => {
    states.push({ id: states.length, at: machine.cpus.map(({ rip }) => nameOf(rip)), kind, messages, events: made })
    return states.length - 1
  }
  const visit = (made: number): number => {
    const key = `${made} ${machine.hash()}`
    const before = known.get(key)
    if (before !== undefined) return before
    const open = choices.plain() > 0 || (made < exploration.maxEvents && choices.canInject())
    const id = add(open ? 'open' : terminalKind(machine), [], made)
    known.set(key, id)
    if (open) waiting.push({ id, snapshot: machine.snapshot(), events: made })
    return id
  }
  const follow = (choice: number, made: number): number => {
    try {
      const violations = exploration.judged(choice)
      if (violations.length === 0) return visit(made)
      const messages = violations.map(({ invariant, message }) => `${invariant}: ${message}`)
      return add('violation', messages, made)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      return add('limit', [error.message], made)
    }
  }

  if (!Number.isInteger(most) || most < 1) throw new MachineError('search-range', `${most} states are not possible`)
  visit(0)
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { id, snapshot, events: made } = next
    machine.restore(snapshot)
    choices.plain()
    const all = choices.list.slice()
    if (made < exploration.maxEvents) {
      choices.injecting()
      all.push(...choices.list)
    }
    for (const choice of all) {
      if (states.length >= most) {
        truncated = true
        break
      }
      machine.restore(snapshot)
      const happening = choiceHappening(choice)
      const event = choiceEvent(choice)
      const name = happening > 0 ? choices.happeningName(happening) : event > 0 ? events[event - 1]!.name : null
      const to = follow(choice, event === 0 ? made : made + 1)
      edges.push({ from: id, to, cpu: happening > 0 ? null : choiceCpu(choice), event: name })
    }
  }
  machine.restore(exploration.start)
  return { states, edges, truncated }
}
