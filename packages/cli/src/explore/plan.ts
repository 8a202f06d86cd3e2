import { suggestion } from '../command/suggest.js'
import { UsageError } from '../error/usage-error.js'
import { MOST_EVENTS, STRATEGIES } from '../scenario/explore-section.js'
import type { CellSpec } from '../scenario/scenario.js'
import type { SearchPlan } from './job.js'

/** What a cell's section and the command line leave open. */
const DEFAULTS = { events: ['nmi', 'mc', 'db'], depth: 2, seconds: 120 } as const

/** What the command line says; it wins over the scenario. */
export type PlanOptions = Partial<Omit<SearchPlan, 'regions' | 'end'>>

/** The plan of a cell. */
export function planOf({ explore }: CellSpec, given: PlanOptions): SearchPlan {
  const { budget = {} } = explore
  return {
    events: given.events ?? explore.events ?? DEFAULTS.events,
    depth: given.depth ?? explore.depth ?? DEFAULTS.depth,
    eventCpus: given.eventCpus ?? explore.eventCpus,
    regions: explore.regions?.map(({ from, to }) => ({ from, to })),
    invariants: given.invariants ?? explore.invariants,
    end: explore.end ?? [],
    deadStacks: given.deadStacks ?? explore.deadStacks ?? false,
    reductions: given.reductions ?? explore.reductions,
    strategy: given.strategy ?? explore.strategy ?? 'breadth-first',
    maxStates: given.maxStates ?? budget.states,
    maxSteps: given.maxSteps ?? budget.steps,
    maxSeconds: given.maxSeconds ?? budget.seconds ?? DEFAULTS.seconds,
  }
}

/** Options of the command line that say what is tried. */
export const PLAN_OPTIONS = {
  events: { type: 'string', valueHint: 'LIST', description: 'nmi, mc, db, interrupt:VECTOR, pf:LABEL, between commas' },
  depth: { type: 'string', valueHint: 'N', description: 'how many events on one path' },
  'event-cpus': { type: 'string', valueHint: 'LIST', description: 'numbers of the CPUs to which they happen' },
  invariants: { type: 'string', valueHint: 'LIST', description: 'which invariants count, between commas' },
  'dead-stacks': { type: 'boolean', description: 'nothing is read below the stack pointer' },
  full: { type: 'boolean', description: 'without the reductions that the scenario names' },
  strategy: {
    type: 'string',
    valueHint: 'NAME',
    description: 'breadth-first (the shortest counterexamples), depth-first or iterative-deepening',
  },
  'max-states': { type: 'string', valueHint: 'N', description: 'stop after so many states' },
  'max-steps': { type: 'string', valueHint: 'N', description: 'go no further than so many steps on one path' },
  'max-seconds': { type: 'string', valueHint: 'N', description: 'stop a cell after so many seconds (default: 120)' },
} as const

type Given = Readonly<Record<string, unknown>>

/** What a command line says about the plan. @throws UsageError for what is no number, or an empty list */
export function planOptions(args: Given): PlanOptions {
  const cpus = list(args, 'event-cpus')
  const plan: { [Key in keyof PlanOptions]: PlanOptions[Key] | undefined } = {
    events: list(args, 'events'),
    depth: number(args, 'depth', 0, MOST_EVENTS),
    eventCpus: cpus?.map((text) => wholeNumber('event-cpus', text, 0, 63)),
    invariants: list(args, 'invariants'),
    deadStacks: args['dead-stacks'] === true ? true : undefined,
    reductions: args.full === true ? [] : undefined,
    strategy: strategy(args.strategy as string | undefined),
    maxStates: number(args, 'max-states', 1, 1e9),
    maxSteps: number(args, 'max-steps', 1, 0xff_ffff),
    maxSeconds: number(args, 'max-seconds', 1, 1e6),
  }
  return Object.fromEntries(Object.entries(plan).filter(([, value]) => value !== undefined)) as PlanOptions
}

function strategy(written: string | undefined): SearchPlan['strategy'] | undefined {
  const known = STRATEGIES.find((name) => name === written)
  if (written === undefined || known !== undefined) return known
  throw new UsageError(`--strategy cannot be "${written}"`, suggestion(written, STRATEGIES, 'possible'))
}

function list(args: Given, option: string): string[] | undefined {
  const written = args[option] as string | undefined
  if (written === undefined) return undefined
  const items = written.split(',').map((item) => item.trim())
  if (items.every((item) => item !== '')) return items
  throw new UsageError(`--${option} has an empty item`, `write --${option} ONE,OTHER`)
}

function number(args: Given, option: string, least: number, most: number): number | undefined {
  const written = args[option] as string | undefined
  return written === undefined ? undefined : wholeNumber(option, written, least, most)
}

/** An option's number. @throws UsageError for anything else, and for one that is too small or too large */
export function wholeNumber(option: string, written: string, least: number, most: number): number {
  const value = /^[0-9][0-9_]*$/.test(written) ? Number(written.replaceAll('_', '')) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`--${option} cannot be "${written}"`, `a whole number from ${least} to ${most}`)
}
