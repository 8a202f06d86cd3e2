import { type Boot, type Machine, UserError } from '@trapframe/core'
import type { z } from 'zod'
import { suggestion } from '../command/suggest.js'
import { ScenarioError } from '../error/scenario-error.js'
import { MODIFIER_NAMES } from '../scenario/grammar.js'
import { check } from '../scenario/issues.js'
import type { Path } from '../scenario/place.js'
import type { Problems } from '../scenario/problems.js'
import { evaluate, type Quantity, QuantityError } from '../scenario/quantity.js'
import type { CellSpec, ClauseSpec, InjectionSpec, Scenario } from '../scenario/scenario.js'
import type { SnapshotStore } from '../snapshot/store.js'
import { type Check, EXPECTATIONS, INJECTIONS, SETUPS, type VerbContext } from '../verbs/slots.js'
import type { Bounds } from './bounds.js'
import type { CellRun } from './cell-run.js'
import type { BoundInjection } from './moments.js'

/** An expectation that is bound to a cell. */
export interface BoundExpectation {
  /** The verb's key. */
  readonly verb: string
  readonly path: Path
  readonly check: Check
}

/** What binding needs to know. */
export interface Binding {
  readonly scenario: Scenario
  readonly cell: CellSpec
  readonly machine: Machine
  readonly boot: Boot
  readonly labels: ReadonlyMap<string, bigint>
  readonly problems: Problems
  readonly bounds: Bounds
  readonly snapshots: SnapshotStore
}

/** Leaves a verb's `bind` after the problem was noted. */
class Refused extends Error {}

/** Binds what the cell injects; what is wrong with it goes to the problems. */
export function bindInjections(binding: Binding): BoundInjection[] {
  return binding.cell.inject.flatMap((spec) => guarded(() => bindInjection(binding, spec)) ?? [])
}

function bindInjection(binding: Binding, spec: InjectionSpec): BoundInjection | undefined {
  const { machine, cell, problems } = binding
  const verbs = machine.contributions(INJECTIONS)
  const verb = verbs.find(({ name }) => name === spec.event)?.value
  if (verb === undefined) {
    const hint = suggestion(
      spec.event,
      verbs.map(({ name }) => name),
      'events',
    )
    problems.add(
      { path: [...spec.path, 'event'], at: 'value', message: `unknown event "${spec.event}"`, hint },
      cell.name,
    )
    return undefined
  }
  const { value, problems: wrong } = check(verb.schema, spec.rest, spec.path)
  for (const problem of wrong ?? []) problems.add(problem, cell.name)
  const context = verbContext(binding, spec.at.cpu, [...spec.path, 'at'], [...spec.path, 'at', 'cpu'])
  const { step, label, address, occurrence = 1 } = spec.at
  const moment =
    step !== undefined
      ? { step }
      : label !== undefined
        ? { address: context.address([{ sign: 1n, value: label }], ['label']), occurrence, name: label }
        : { address: context.address(address ?? [], ['address']), occurrence, name: undefined }
  return wrong === undefined ? { verb, value, cpu: spec.at.cpu ?? 0, moment, path: spec.path } : undefined
}

/** Binds what the cell expects; what is wrong with it goes to the problems. */
export function bindExpectations(binding: Binding): BoundExpectation[] {
  const verbs = binding.machine.contributions(EXPECTATIONS)
  return [...readClauses(binding, binding.cell.expect, verbs, 'expectations')].flatMap((clause) => {
    const { name, verb, value, context, path } = clause
    const bound = guarded(() => ownFault(binding, clause, () => verb.bind(value, context())))
    if (bound === undefined) return []
    const check = { ...bound, verdict: (run: CellRun) => ownFault(binding, clause, () => bound.verdict(run)) }
    return [{ verb: name, path, check }]
  })
}

/** Sets what the cell says is set before the first step, in the order of the file; what is wrong goes to the problems. */
export function applySetup(binding: Binding): void {
  const verbs = binding.machine.contributions(SETUPS)
  for (const clause of readClauses(binding, binding.cell.setup, verbs, 'setups')) {
    const { verb, value, context } = clause
    guarded(() => ownFault(binding, clause, () => verb.apply(value, context())))
  }
}

/** What a verb of a plugin throws is told as the plugin's fault, where the scenario uses it. */
function ownFault<T>({ scenario }: Binding, clause: { name: string; plugin: string; path: Path }, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (clause.plugin === OWN_PLUGIN || error instanceof Refused || error instanceof UserError) throw error
    const message = `"${clause.name}" of plugin "${clause.plugin}" failed: ${(error as Error).message}`
    throw new ScenarioError(message, scenario.places.key(clause.path), 'this is a mistake in the plugin', error)
  }
}

/** Of our own verbs what they throw is a defect. */
const OWN_PLUGIN = 'cli'

/** The verbs of a list with their values, as far as both are understood. */
function* readClauses<Verb extends { readonly schema: z.ZodType }>(
  binding: Binding,
  clauses: readonly ClauseSpec[],
  verbs: readonly { readonly name: string; readonly value: Verb; readonly plugin: string }[],
  what: string,
) {
  const { cell, problems } = binding
  for (const spec of clauses) {
    binding.bounds.checkTime(cell.name)
    for (const { name, value: written, path } of spec.verbs) {
      const found = verbs.find((one) => one.name === name)
      if (found === undefined) {
        const known = [...verbs.map((one) => one.name), ...MODIFIER_NAMES]
        const hint = suggestion(name, known, what)
        problems.add({ path, at: 'key', message: `unknown ${what.replace(/s$/, '')} "${name}"`, hint }, cell.name)
        continue
      }
      const { value: verb, plugin } = found
      const { value, problems: wrong } = ownFault(binding, { name, plugin, path }, () =>
        check(verb.schema, written, path),
      )
      for (const problem of wrong ?? []) problems.add(problem, cell.name)
      if (wrong !== undefined) continue
      const context = () => verbContext(binding, spec.cpu, path, [...spec.path, 'cpu'])
      yield { name, plugin, verb, value, context, path }
    }
  }
}

function guarded<T>(bind: () => T): T | undefined {
  try {
    return bind()
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

function verbContext(
  { machine, boot, labels, problems, cell, snapshots }: Binding,
  given: number | undefined,
  path: Path,
  cpuPath: Path,
): VerbContext {
  const refuse = (path: Path, message: string, hint?: string, at: 'key' | 'value' = 'value'): never => {
    problems.add({ path, at, message, hint }, cell.name)
    throw new Refused()
  }
  const cpu = machine.cpus[given ?? 0] ?? refuse(cpuPath, `there is no CPU ${given}`, cpuHint(machine.cpus.length))
  return {
    machine,
    boot,
    labels,
    cpu,
    cell: cell.name,
    snapshots,
    cpuGiven: given !== undefined,
    address(quantity: Quantity, inside = []) {
      try {
        return evaluate(quantity, labels)
      } catch (error) {
        if (!(error instanceof QuantityError)) throw error
        return refuse([...path, ...inside], error.message, error.hint)
      }
    },
    oneOf(word, known, what, inside = [], at = 'value') {
      const all = [...known]
      if (all.includes(word)) return word
      const message = `unknown ${what.replace(/s$/, '')} "${word}"`
      return refuse([...path, ...inside], message, suggestion(word, all, what), at)
    },
    wrong: (message, hint, inside = []) => refuse([...path, ...inside], message, hint),
  }
}

const cpuHint = (cpus: number): string =>
  cpus === 1 ? 'the machine has CPU 0 only' : `the machine has CPUs 0 to ${cpus - 1}`
