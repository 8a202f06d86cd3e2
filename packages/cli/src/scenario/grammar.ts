import type { Schedule } from '@trapframe/core'
import { z } from 'zod'
import { axisValue, condition, integer, oneOrMore, quantity, text } from './schema.js'

/**
 * The grammar of scenarios, version 1. Later versions add keys; none is renamed or taken away. `docs/scenarios.md` is
 * the reference for people.
 */

/** Steps that a run has unless it says otherwise, and at most. */
export const DEFAULT_STEPS = 1000
export const MOST_STEPS = 1_000_000

/** An ELF image in the place of assembly. */
export const IMAGE = z.strictObject({
  elf: text.describe('a 64-bit x86-64 ELF image, by path from the scenario; it stays in the folder of the scenario'),
  entry: quantity.describe('where the program begins; left out, where the image says').optional(),
  end: quantity.describe('where the run is done').optional(),
  base: quantity.describe('where a position-independent image is loaded; left out, at a free place').optional(),
})

export type ImageSpec = z.output<typeof IMAGE>

const PROGRAM = z.union([z.string().describe('assembly, Intel syntax, in a block after |'), IMAGE])

/** Which CPU makes each step: the first ones by number, one after the other, or by a seed. */
const SCHEDULE = z.union([
  z.array(integer(0, 63)).transform((cpus): Schedule => ({ kind: 'list', cpus })),
  z.literal('round-robin').transform((kind): Schedule => ({ kind })),
  z.strictObject({ seed: integer(0, 0xffff_ffff) }).transform(({ seed }): Schedule => ({ kind: 'random', seed })),
])

/** The top of a file. What a cell can change by `${axis}` (machine, start, setup, inject, expect) is read cell by cell. */
export const FILE = z.strictObject({
  name: text.describe('what reports call it'),
  about: text.describe('the essay: background, what goes wrong, what helps').optional(),
  refs: z.array(text).describe('requirement IDs, manual sections, public bugs').optional(),
  matrix: z
    .record(z.string(), z.array(axisValue).min(1))
    .describe('axes with their values: every combination is a cell, with a fresh machine')
    .optional(),
  exclude: z.array(condition).describe('combinations to leave out').optional(),
  machine: z.unknown().describe('CPU, host, and what the host is asked for').optional(),
  guest: PROGRAM.describe('the program that runs in ring 3, where the host lets a guest run').optional(),
  kernel: PROGRAM.describe('the program that runs in ring 0, as part of the host').optional(),
  code: z
    .record(text, z.string())
    .describe("label of the host: assembly that stands there, in the place of the host's own")
    .optional(),
  start: z.unknown().describe('where CPUs begin: one starting point for all, or one for each').optional(),
  setup: z.unknown().describe('what is set before the first step, in this order').optional(),
  inject: z.unknown().describe('events that become pending during the run').optional(),
  schedule: SCHEDULE.describe('which CPU makes each step').optional(),
  limits: z
    .strictObject({
      steps: integer(1, MOST_STEPS).describe(`the most steps of a run; ${DEFAULT_STEPS} unless given`).optional(),
    })
    .describe('what a run may take')
    .optional(),
  expect: z.unknown().describe('what must be seen').optional(),
  explore: z.unknown().describe('what "trapframe explore" tries, and what it must find').optional(),
})

export const MACHINE = z.strictObject({
  cpu: text.describe('a CPU preset, with edits: "panther-lake,-lkgs"').default('panther-lake'),
  cpus: integer(1, 64).describe('how many CPUs').default(1),
  host: text.describe('the software under the events: xen, flat-idt, flat-fred, or of a plugin').default('xen'),
  delivery: text.describe('idt or fred: a request that the host translates').optional(),
  cmdline: z.string().describe("the host's command line; not together with delivery").optional(),
  revision: text.describe('of the host: rfc or upstream').optional(),
  options: z.record(z.string(), z.unknown()).describe('switches of the host').default({}),
  plugins: z.array(text).describe('modules to load, by path from the file or by package name').default([]),
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
  label: text.describe('right before the instruction at this label executes').optional(),
  address: quantity.describe('right before the instruction at this address executes').optional(),
  step: integer(1, MOST_STEPS).describe('before this step of the run, counted from 1 over all CPUs').optional(),
  occurrence: OCCURRENCE.describe('with a label or an address: the n-th time that the CPU stands there').optional(),
  cpu: CPU.describe('the CPU that is meant; 0 unless given').optional(),
})

export type MomentSpec = z.output<typeof MOMENT>

/** The cells that an entry of a list is for; left out, all. */
const CONDITIONS = {
  when: condition.describe('only in cells that meet this').optional(),
  unless: condition.describe('not in cells that meet this').optional(),
} as const

/** What every injection has; the verb of its event adds keys. */
export const INJECTION = z.looseObject({
  event: text,
  at: MOMENT.describe('when: label, address or step'),
  ...CONDITIONS,
})

/** What every entry of `setup` and `expect` may have beside its verbs. */
export const MODIFIERS = {
  ...CONDITIONS,
  cpu: CPU.describe('the CPU that is spoken of; 0 unless given').optional(),
} as const

export const MODIFIER_NAMES = Object.keys(MODIFIERS)
