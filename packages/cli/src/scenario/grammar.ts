import { z } from 'zod'
import { axisValue, condition, integer, oneOrMore, quantity, text } from './schema.js'

/**
 * The grammar of scenarios, version 1. Later versions add keys; none is renamed or taken away. `docs/scenarios.md` is
 * the reference for people.
 */

/** Steps that a run has unless it says otherwise, and at most. */
export const DEFAULT_STEPS = 1000
export const MOST_STEPS = 1_000_000
/** Cells of a matrix, at most. */
export const MOST_CELLS = 4096

/** The top of a file. What a cell can change by `${axis}` (machine, start, setup, inject, expect) is read cell by cell. */
export const FILE = z.strictObject({
  name: text,
  about: text.optional(),
  refs: z.array(text).optional(),
  matrix: z.record(z.string(), z.array(axisValue).min(1)).optional(),
  exclude: z.array(condition).optional(),
  machine: z.unknown().optional(),
  guest: z.string().optional(),
  kernel: z.string().optional(),
  code: z.record(text, z.string()).optional(),
  start: z.unknown().optional(),
  setup: z.unknown().optional(),
  inject: z.unknown().optional(),
  schedule: z.array(integer(0, 63)).optional(),
  limits: z.strictObject({ steps: integer(1, MOST_STEPS).optional() }).optional(),
  expect: z.unknown().optional(),
})

export const MACHINE = z.strictObject({
  cpu: text.default('panther-lake'),
  cpus: integer(1, 64).default(1),
  host: text.default('xen'),
  delivery: text.optional(),
  cmdline: z.string().optional(),
  revision: text.optional(),
  options: z.record(z.string(), z.unknown()).default({}),
  plugins: z.array(text).default([]),
})

export type MachineSpec = z.output<typeof MACHINE>

/** The programs that a scenario can bring. `guest` runs at the host's CPL 3 site, `kernel` at its CPL 0 site. */
export const PROGRAMS = ['guest', 'kernel'] as const
export type ProgramName = (typeof PROGRAMS)[number]

/** Before the first instruction of the host: the run begins with its boot. */
export const AT_BOOT = 'boot'

/** Where a CPU starts: at the first byte of a program, or at one of its labels; or at the host's boot. */
const STARTING_POINT = z.union([
  z.enum([...PROGRAMS, AT_BOOT]),
  z.strictObject({ program: z.enum(PROGRAMS), label: text }),
])

export type StartingPoint = z.output<typeof STARTING_POINT>

/** One starting point for all CPUs, or one for each. */
export const START = oneOrMore(STARTING_POINT)

const OCCURRENCE = integer(1, MOST_STEPS)
const CPU = integer(0, 63)

/** When an injected event becomes pending: right before an instruction executes, or before a step of the run. */
export const MOMENT = z.strictObject({
  label: text.optional(),
  address: quantity.optional(),
  step: integer(1, MOST_STEPS).optional(),
  occurrence: OCCURRENCE.optional(),
  cpu: CPU.optional(),
})

export type MomentSpec = z.output<typeof MOMENT>

/** The cells that an entry of a list is for; left out, all. */
const CONDITIONS = { when: condition.optional(), unless: condition.optional() } as const

/** What every injection has; the verb of its event adds keys. */
export const INJECTION = z.looseObject({ event: text, at: MOMENT, ...CONDITIONS })

/** What every entry of `setup` and `expect` may have beside its verbs. */
export const MODIFIERS = { ...CONDITIONS, cpu: CPU.optional() } as const

export const MODIFIER_NAMES = Object.keys(MODIFIERS)
