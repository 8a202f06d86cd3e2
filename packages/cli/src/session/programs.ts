import type { Boot, Cpu, Machine, ProgramSite } from '@trapframe/core'
import { AssemblyError, assemble } from '@trapframe/isa'
import { ScenarioError } from '../error/scenario-error.js'
import { AT_BOOT, PROGRAMS, type ProgramName, type StartingPoint } from '../scenario/grammar.js'
import type { Path } from '../scenario/place.js'
import type { Problems } from '../scenario/problems.js'
import type { ProgramText, Scenario } from '../scenario/scenario.js'
import { type Room, roomAt } from './room.js'

/** A line of a scenario's program, by the address of its code. */
export interface SourceLine {
  readonly text: string
  /** Line in the scenario file. */
  readonly line: number
}

/** The scenario's programs in a machine's memory. */
export interface LoadedPrograms {
  /** The host's labels and those of the programs; a program's name is a label of its first byte, where it is free. */
  readonly labels: ReadonlyMap<string, bigint>
  /** What stands in the file for the code at an address. */
  readonly lines: ReadonlyMap<bigint, SourceLine>
  /** Labels of the host at which the scenario's own code stands. */
  readonly replaced: ReadonlySet<string>
  /** All programs and all code were assembled. */
  readonly complete: boolean
  /** Puts a CPU at a starting point. */
  enter(cpu: Cpu, start: StartingPoint): void
  /** Whether a CPU has reached the end of a program, at the program's privilege. */
  atEnd(cpu: Cpu): boolean
}

/** The host's name of the site that each program runs at. */
const SITES: Readonly<Record<ProgramName, string>> = { guest: 'guest', kernel: 'host' }

/**
 * Assembles the programs of a scenario and writes them to the host's sites, and its code to the host's labels. Code for a
 * label that the host does not have is left out. What is wrong goes to `problems`.
 */
export function loadPrograms(
  scenario: Scenario,
  machine: Machine,
  boot: Boot,
  problems: Problems,
  cell: string,
): LoadedPrograms {
  const loader = new Loader(scenario, machine, boot, problems, cell)
  const sites = new Map<ProgramName, ProgramSite>()
  for (const name of PROGRAMS) {
    const text = scenario.programs[name]
    if (text === undefined) continue
    const site = boot.sites[SITES[name]]
    if (site === undefined) {
      problems.add({ path: [name], at: 'key', message: `the host has no place for a "${name}" program` }, cell)
      loader.complete = false
      continue
    }
    sites.set(name, site)
    loader.load([name], text, site)
    if (!loader.labels.has(name)) loader.labels.set(name, site.origin)
  }
  const replaced = new Set<string>()
  for (const [label, text] of Object.entries(scenario.code)) {
    const origin = boot.labels.get(label)
    if (origin === undefined) continue
    const other = [...replaced].find((one) => boot.labels.get(one) === origin)
    replaced.add(label)
    if (other === undefined) loader.load(['code', label], text, roomAt(machine, boot, origin))
    else
      problems.add({ path: ['code', label], at: 'key', message: `"${label}" and "${other}" are the same place` }, cell)
  }
  const { labels, lines, ends } = loader
  return {
    labels,
    lines,
    complete: loader.complete,
    replaced,
    enter(cpu, start) {
      const program = typeof start === 'string' ? start : start.program
      const site = program === AT_BOOT ? boot.sites.boot : sites.get(program)
      site?.enter(cpu)
      const address = typeof start === 'string' ? undefined : labels.get(start.label)
      if (address !== undefined) cpu.rip = address
    },
    atEnd: (cpu) => ends.some(({ address, cpl }) => cpu.rip === address && (cpl === undefined || cpu.cpl === cpl)),
  }
}

/** Assembles text after text into the machine; each knows the labels of those before it. */
class Loader {
  readonly labels: Map<string, bigint>
  readonly lines = new Map<bigint, SourceLine>()
  readonly ends: { readonly address: bigint; readonly cpl: number | undefined }[] = []
  /** Nothing was wrong so far. */
  complete = true
  readonly #scenario: Scenario
  readonly #machine: Machine
  readonly #hostPlaces: ReadonlySet<bigint>
  readonly #problems: Problems
  readonly #cell: string

  constructor(scenario: Scenario, machine: Machine, boot: Boot, problems: Problems, cell: string) {
    this.labels = new Map(boot.labels)
    this.#scenario = scenario
    this.#machine = machine
    this.#hostPlaces = new Set(boot.labels.values())
    this.#problems = problems
    this.#cell = cell
  }

  load(path: Path, text: ProgramText, { origin, capacity, cpl }: Room): void {
    const name = String(path.at(-1))
    try {
      const program = assemble(text.text, {
        origin,
        symbols: Object.fromEntries(this.labels),
        file: this.#scenario.file,
        line: text.line,
        column: text.column,
      })
      if (program.bytes.length > capacity) {
        const message = `"${name}" takes ${program.bytes.length} bytes, and the host has room for ${capacity}`
        this.#problems.add({ path, at: 'key', message }, this.#cell)
        this.complete = false
        return
      }
      for (const label of program.labels.keys()) {
        if (this.labels.has(label)) this.#problems.addError(labelTaken(this.#scenario, text, label), this.#cell)
      }
      for (const [label, address] of program.labels) this.labels.set(label, address)
      for (const { address, text: written, line } of program.lines) {
        this.lines.set(address, { text: tidy(written), line })
      }
      if (program.bytes.length > 0) this.#machine.cpu.space.write(origin, program.bytes)
      const end = origin + BigInt(program.bytes.length)
      // Code that fills its room to the last byte ends where something else of the host begins.
      if (end === origin || !this.#hostPlaces.has(end)) this.ends.push({ address: end, cpl })
    } catch (error) {
      if (!(error instanceof AssemblyError)) throw error
      this.#problems.addError(error, this.#cell)
      this.complete = false
    }
  }
}

/** A statement with single blanks, so that the columns of the file do not show in reports. */
const tidy = (statement: string): string => statement.trim().replace(/\s+/g, ' ')

function labelTaken(scenario: Scenario, { text, line, column }: ProgramText, label: string): ScenarioError {
  const rows = text.split('\n')
  const row = Math.max(
    0,
    rows.findIndex((one) => one.trimStart().startsWith(label)),
  )
  const indent = rows[row]!.length - rows[row]!.trimStart().length
  return new ScenarioError(
    `the label "${label}" is taken already`,
    { file: scenario.file, line: line + row, column: column + indent, length: label.length },
    'the host or another program of this scenario has it: choose another name',
  )
}
