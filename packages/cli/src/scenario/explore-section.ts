import { z } from 'zod'
import { quantityText } from './quantity.js'
import { condition, integer, oneOrMore, quantity, text } from './schema.js'

/** The section `explore` of a scenario: what `trapframe explore` tries, and what it must find. All of it is data. */

/** Events on one path, steps of one path, and states: what the search itself can have at most. */
export const MOST_EVENTS = 126
const MOST_PATH = (1 << 24) - 1
const MOST_STATES = 1_000_000_000
const MOST_SECONDS = 86_400

export const STRATEGIES = ['breadth-first', 'depth-first', 'iterative-deepening'] as const

/** An address that a search job carries as text: the machine that it is looked up in is made elsewhere. */
const place = quantity.transform(quantityText)

const CPUS = z.array(integer(0, 63)).min(1)

const BUDGET = z.strictObject({
  states: integer(1, MOST_STATES).describe('the most states that are remembered').optional(),
  steps: integer(1, MOST_PATH).describe('the most steps on one path').optional(),
  seconds: integer(1, MOST_SECONDS).describe('how long a cell may take').optional(),
})

const CONDITIONS = {
  when: condition.describe('only in cells that meet this').optional(),
  unless: condition.describe('not in cells that meet this').optional(),
} as const

const REGION = z.strictObject({
  from: place.describe('its first byte'),
  to: place.describe('the first byte after it'),
  ...CONDITIONS,
})

const EXPECTED = z.strictObject({
  ...CONDITIONS,
  violates: oneOrMore(text).describe('invariants to which a counterexample is found').optional(),
  events: integer(0, MOST_EVENTS).describe('how many events the shortest counterexample of all has').optional(),
  keeps: oneOrMore(text).describe('invariants to which none is found; "all" for all').optional(),
  complete: z.boolean().describe('whether everything within the depth is seen').optional(),
})

export const EXPLORE = z.strictObject({
  events: oneOrMore(text).describe('events to inject: nmi, mc, db, interrupt:0x21, pf:label').optional(),
  depth: integer(0, MOST_EVENTS).describe('how many of them on one path').optional(),
  eventCpus: CPUS.describe('the CPUs to which they happen; all unless given').optional(),
  regions: oneOrMore(REGION)
    .describe('memory in which RIP lies when an event happens; anywhere unless given')
    .optional(),
  invariants: oneOrMore(text).describe('which invariants count; all unless given').optional(),
  end: oneOrMore(place).describe('where a CPU is done, beside the end of its program').optional(),
  deadStacks: z
    .boolean()
    .describe('nothing is read below the stack pointer: what is there tells no states apart')
    .optional(),
  reductions: oneOrMore(text)
    .describe('what plugins know that makes the search smaller, by name: each is a promise of its own')
    .optional(),
  strategy: z.enum(STRATEGIES).describe('breadth-first unless given').optional(),
  budget: BUDGET.describe('where the search stops short').optional(),
  expect: z.array(EXPECTED).describe('what the search must find').optional(),
})

export type ExploreSection = z.output<typeof EXPLORE>
export type ExploreExpectation = z.output<typeof EXPECTED>
