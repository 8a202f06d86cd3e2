import { z } from 'zod'
import { suggestion } from '../command/suggest.js'
import { EXPLORE, type ExploreSection } from './explore-section.js'
import {
  AT_BOOT,
  DEFAULT_STEPS,
  FILE,
  type ImageSpec,
  INJECTION,
  MACHINE,
  MODIFIER_NAMES,
  MODIFIERS,
  PROGRAMS,
  type ProgramName,
  START,
  type StartingPoint,
} from './grammar.js'
import { check, describe, type Problem } from './issues.js'
import { LIMITS } from './limits.js'
import { type Axes, type AxisValue, type Condition, cellName, expand, meets } from './matrix.js'
import type { Path } from './place.js'
import { Problems } from './problems.js'
import { programText } from './program-text.js'
import type { CellSpec, ClauseSpec, InjectionSpec, ProgramText, Scenario } from './scenario.js'
import { substitute } from './substitute.js'
import { readYaml, type YamlFile } from './yaml.js'
import { countValues } from './yaml-tree.js'

type File = z.output<typeof FILE>
type Matrix = Readonly<Record<string, readonly AxisValue[]>>

/**
 * Reads a scenario. Everything that can be judged without a machine is judged here.
 *
 * @throws ScenarioErrors with every mistake that was found, at its place
 */
export function parseScenario(file: string, source: string): Scenario {
  return scenarioOf(readYaml(file, source))
}

/**
 * A scenario from data with its places, whatever it was written in. Whole numbers of the data are `bigint`.
 *
 * @throws ScenarioErrors with every mistake that was found, at its place
 */
export function scenarioOf({ data, places }: YamlFile): Scenario {
  const problems = new Problems(places)
  const report = (list: readonly Problem[] | undefined): void => {
    for (const problem of list ?? []) problems.add(problem)
  }
  if (data === null) {
    problems.add({ path: [], at: 'value', message: 'the file is empty', hint: 'a scenario begins with its name' })
    problems.throwIfAny()
  }
  const top = check(FILE, data)
  report(top.problems)
  problems.throwIfAny()
  const written = top.value!
  const matrix: Matrix = written.matrix ?? {}
  const cells = allCells(matrix, written.exclude ?? [], report)
  const values = Math.floor(LIMITS.cellValues / Math.max(1, cells.length))
  if (countValues(data, values) > values) {
    const message = `a matrix of ${cells.length} cells is too much for a file of this length`
    report([{ path: ['matrix'], at: 'key', message, hint: `with so many cells a file has ${values} values at most` }])
  }
  const programs: Partial<Record<ProgramName, ProgramText | ImageSpec>> = {}
  for (const name of PROGRAMS) {
    const text = written[name]
    if (text === undefined) continue
    programs[name] = typeof text === 'string' ? programText([name], text, places, problems) : text
  }
  const code = Object.fromEntries(
    Object.entries(written.code ?? {}).map(([label, text]) => [
      label,
      programText(['code', label], text, places, problems),
    ]),
  )
  problems.throwIfAny()

  const reader = new CellReader(written, matrix, problems)
  const specs = cells.map((axes) => reader.read(axes))
  reader.finish()
  problems.throwIfAny(cells.length)
  return {
    file: places.file,
    name: written.name,
    about: written.about,
    refs: written.refs ?? [],
    programs,
    code,
    schedule: written.schedule ?? { kind: 'round-robin' },
    steps: written.limits?.steps ?? DEFAULT_STEPS,
    cells: specs,
    places,
  }
}

/** The cells of the matrix, after a look at the matrix itself. */
function allCells(
  matrix: Matrix,
  exclude: readonly Condition[],
  report: (problems: readonly Problem[]) => void,
): readonly Axes[] {
  const axes = Object.entries(matrix)
  if (axes.length > LIMITS.axes) {
    report([
      { path: ['matrix'], at: 'key', message: `the matrix has ${axes.length} axes`, hint: `most: ${LIMITS.axes}` },
    ])
    return []
  }
  const size = axes.reduce((product, [, values]) => product * values.length, 1)
  if (size > LIMITS.cells) {
    report([{ path: ['matrix'], at: 'key', message: `the matrix has ${size} cells`, hint: `most: ${LIMITS.cells}` }])
    return []
  }
  for (const [axis, values] of axes) {
    values.forEach((value, index) => {
      if (values.indexOf(value) === index) return
      report([{ path: ['matrix', axis, index], at: 'value', message: `axis "${axis}" has ${describe(value)} twice` }])
    })
  }
  for (const [index, condition] of exclude.entries()) report(conditionProblems(condition, matrix, ['exclude', index]))
  const cells = expand(matrix, exclude)
  if (cells.length === 0) report([{ path: ['exclude'], at: 'key', message: 'nothing is left of the matrix' }])
  return cells
}

/** Axes and values of a condition that the matrix does not have. */
function conditionProblems(condition: Condition, matrix: Matrix, path: Path): Problem[] {
  return Object.entries(condition).flatMap(([axis, wanted]): Problem[] => {
    const values = Object.hasOwn(matrix, axis) ? matrix[axis]! : undefined
    if (values === undefined) {
      const hint = suggestion(axis, Object.keys(matrix), 'axes') ?? 'the scenario has no matrix'
      return [{ path: [...path, axis], at: 'key', message: `the matrix has no axis "${axis}"`, hint }]
    }
    const unknown = wanted.find((value) => !values.includes(value))
    if (unknown === undefined) return []
    const hint = suggestion(String(unknown), values.map(String), 'values')
    return [{ path: [...path, axis], at: 'value', message: `axis "${axis}" has no value ${describe(unknown)}`, hint }]
  })
}

/** What an entry of each list is called. */
const ENTRIES = { setup: 'setup', inject: 'injection', expect: 'expectation' } as const

/** Reads what each cell makes of machine, start, setup, inject and expect. */
class CellReader {
  readonly #file: File
  readonly #matrix: Matrix
  readonly #problems: Problems
  /** Entries of lists that are for at least one cell: `expect 0`. */
  readonly #met = new Set<string>()

  constructor(file: File, matrix: Matrix, problems: Problems) {
    this.#file = file
    this.#matrix = matrix
    this.#problems = problems
  }

  read(axes: Axes): CellSpec {
    const name = cellName(axes)
    const machine = this.#checked(MACHINE, 'machine', this.#file.machine ?? {}, axes, name)
    return {
      name,
      axes,
      machine: machine ?? MACHINE.parse({}),
      start: this.#start(axes, name),
      setup: this.#clauses('setup', axes, name),
      inject: this.#inject(axes, name),
      expect: this.#clauses('expect', axes, name),
      explore: this.#explore(axes, name),
    }
  }

  /** What can be said once all cells were read. */
  finish(): void {
    if (this.#problems.any) return
    for (const [list, what] of Object.entries(ENTRIES)) {
      const entries = this.#file[list as keyof typeof ENTRIES]
      if (!Array.isArray(entries)) continue
      for (const index of entries.keys()) {
        if (this.#met.has(`${list} ${index}`)) continue
        this.#problems.add({
          path: [list, index],
          at: 'value',
          message: `this ${what} holds for no cell of the matrix`,
          hint: 'mend its "when" or "unless", or the "exclude" of the matrix',
        })
      }
    }
  }

  #checked<Schema extends z.ZodType>(
    schema: Schema,
    key: string,
    data: unknown,
    axes: Axes,
    cell: string,
  ): z.output<Schema> | undefined {
    const filled = substitute(data, axes, [key], ({ path, message, hint }) => {
      this.#problems.add({ path, at: 'value', message, hint }, cell)
    })
    const { value, problems } = check(schema, filled, [key])
    for (const problem of problems ?? []) this.#problems.add(problem, cell)
    return value
  }

  #start(axes: Axes, cell: string): readonly StartingPoint[] {
    const given = PROGRAMS.filter((name) => this.#file[name] !== undefined)
    const start =
      this.#file.start === undefined ? undefined : this.#checked(START, 'start', this.#file.start, axes, cell)
    for (const point of start ?? []) {
      const program = typeof point === 'string' ? point : point.program
      if (program === AT_BOOT || given.includes(program)) continue
      this.#problems.add({ path: ['start'], at: 'value', message: `the scenario has no "${program}" program` }, cell)
    }
    return start ?? given.slice(0, 1)
  }

  #inject(axes: Axes, cell: string): readonly InjectionSpec[] {
    const list = this.#checked(z.array(INJECTION), 'inject', this.#file.inject ?? [], axes, cell) ?? []
    return list.flatMap(({ event, at, when, unless, ...rest }, index) => {
      const path = ['inject', index]
      if (!this.#applies(axes, when, unless, path)) return []
      const moments = (['label', 'address', 'step'] as const).filter((key) => at[key] !== undefined)
      if (moments.length !== 1) {
        const message = `"at" needs one of label, address and step${moments.length === 0 ? '' : `, not ${moments.join(' and ')}`}`
        this.#problems.add({ path: [...path, 'at'], at: 'key', message }, cell)
      } else if (at.step !== undefined && at.occurrence !== undefined) {
        const message = 'a step occurs once: "occurrence" goes with a label or an address'
        this.#problems.add({ path: [...path, 'at', 'occurrence'], at: 'key', message }, cell)
      }
      return [{ event, at, rest, path }]
    })
  }

  /** What a search tries in the cell, with those of its expectations that are for it. */
  #explore(axes: Axes, cell: string): ExploreSection {
    const section = this.#checked(EXPLORE, 'explore', this.#file.explore ?? {}, axes, cell) ?? {}
    const chosen = <Entry extends { readonly when?: Condition | undefined; readonly unless?: Condition | undefined }>(
      entries: readonly Entry[],
      list: 'expect' | 'regions',
    ): Entry[] =>
      entries.filter(({ when, unless }, index) => this.#applies(axes, when, unless, ['explore', list, index]))
    const { expect, regions, ...rest } = section
    return {
      ...rest,
      ...(expect === undefined ? {} : { expect: chosen(expect, 'expect') }),
      ...(regions === undefined ? {} : { regions: chosen(regions, 'regions') }),
    }
  }

  /** The entries of `setup` or `expect` that are for the cell. */
  #clauses(list: 'setup' | 'expect', axes: Axes, cell: string): readonly ClauseSpec[] {
    const entries = this.#checked(z.array(z.looseObject(MODIFIERS)), list, this.#file[list] ?? [], axes, cell) ?? []
    return entries.flatMap(({ when, unless, cpu, ...verbs }, index) => {
      const path = [list, index]
      if (Object.keys(verbs).length === 0) {
        this.#problems.add({
          path,
          at: 'value',
          message: list === 'expect' ? 'this expectation expects nothing' : 'this setup sets nothing',
          hint: `beside ${MODIFIER_NAMES.join(', ')} it needs a verb, such as "${list === 'expect' ? 'outcome' : 'registers'}"`,
        })
      }
      if (!this.#applies(axes, when, unless, path)) return []
      const named = Object.entries(verbs).map(([name, value]) => ({ name, value, path: [...path, name] }))
      return [{ cpu, verbs: named, path }]
    })
  }

  /** Whether the entry at a path is for a cell; what its conditions name and the matrix has not is a problem. */
  #applies(axes: Axes, when: Condition = {}, unless: Condition | undefined, path: Path): boolean {
    const problems = [
      ...conditionProblems(when, this.#matrix, [...path, 'when']),
      ...conditionProblems(unless ?? {}, this.#matrix, [...path, 'unless']),
    ]
    for (const problem of problems) this.#problems.add(problem)
    if (problems.length > 0 || !meets(axes, when) || (unless !== undefined && meets(axes, unless))) return false
    this.#met.add(path.join(' '))
    return true
  }
}
