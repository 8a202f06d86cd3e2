import { type Boot, type Cpu, type Machine, type MemoryArea, type ProgramSite, UserError } from '@trapframe/core'
import { AssemblyError, assemble } from '@trapframe/isa'
import { type LoadedImage, loadImage } from '../elf/load.js'
import { ScenarioError } from '../error/scenario-error.js'
import { AT_BOOT, type ImageSpec, PROGRAMS, type ProgramName, type StartingPoint } from '../scenario/grammar.js'
import type { Path } from '../scenario/place.js'
import type { Problems } from '../scenario/problems.js'
import { evaluate, type Quantity, QuantityError } from '../scenario/quantity.js'
import type { ProgramText, Scenario } from '../scenario/scenario.js'
import { type Images, imageError } from './images.js'
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
  /** Memory by owner: the host's areas with the pages of images. */
  readonly areas: Boot['areas']
  /** All programs and all code were assembled. */
  readonly complete: boolean
  /** Puts a CPU at a starting point. */
  enter(cpu: Cpu, start: StartingPoint): void
  /** Whether a CPU has reached the end of a program, at the program's privilege. */
  atEnd(cpu: Cpu): boolean
}

/** The host's name of the site that each program runs at. */
const SITES: Readonly<Record<ProgramName, string>> = { guest: 'guest', kernel: 'host' }

/** The host's area that the pages of each program's image belong to. */
const OWNERS: Readonly<Record<ProgramName, string>> = { guest: 'guest', kernel: 'host' }

/**
 * Assembles the programs of a scenario and writes them to the host's sites, or loads their images, and its code to the
 * host's labels. Code for a label that the host does not have is left out. What is wrong goes to `problems`.
 */
export function loadPrograms(
  scenario: Scenario,
  machine: Machine,
  boot: Boot,
  images: Images,
  problems: Problems,
  cell: string,
): LoadedPrograms {
  const loader = new Loader(scenario, machine, boot, problems, cell)
  const sites = new Map<ProgramName, ProgramSite>()
  const loadedImages = new Map<ProgramName, PlacedImage>()
  const areas: Record<string, readonly MemoryArea[]> = { ...boot.areas }
  for (const name of PROGRAMS) {
    const program = scenario.programs[name]
    if (program === undefined) continue
    const site = boot.sites[SITES[name]]
    if (site === undefined) {
      problems.add({ path: [name], at: 'key', message: `the host has no place for a "${name}" program` }, cell)
      loader.complete = false
      continue
    }
    sites.set(name, site)
    if (!('elf' in program)) {
      loader.load([name], program, site)
    } else {
      const placed = loader.loadImage(name, program, images, site)
      if (placed === undefined) continue
      loadedImages.set(name, placed)
      areas[OWNERS[name]] = [...(areas[OWNERS[name]] ?? []), ...placed.image.areas]
    }
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
    areas,
    enter(cpu, start) {
      const program = typeof start === 'string' ? start : start.program
      const site = program === AT_BOOT ? boot.sites.boot : sites.get(program)
      site?.enter(cpu)
      const placed = program === AT_BOOT ? undefined : loadedImages.get(program)
      // Ring 3 may have an address space of its own.
      if (placed !== undefined && cpu.space !== machine.cpu.space) placed.image.mapInto(cpu.space)
      const address = typeof start === 'string' ? placed?.entry : labels.get(start.label)
      if (address !== undefined) cpu.rip = address
    },
    atEnd: (cpu) => ends.some(({ address, cpl }) => cpu.rip === address && (cpl === undefined || cpu.cpl === cpl)),
  }
}

/** An image with the address at which it begins. */
interface PlacedImage {
  readonly image: LoadedImage
  readonly entry: bigint
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
  readonly #boot: Boot
  readonly #hostPlaces: ReadonlySet<bigint>
  readonly #problems: Problems
  readonly #cell: string

  constructor(scenario: Scenario, machine: Machine, boot: Boot, problems: Problems, cell: string) {
    this.labels = new Map(boot.labels)
    this.#scenario = scenario
    this.#machine = machine
    this.#boot = boot
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

  /** Loads an image; its symbols become labels, and one whose name is taken is called `guest.name`. */
  loadImage(name: ProgramName, spec: ImageSpec, images: Images, site: ProgramSite): PlacedImage | undefined {
    const read = images.get(name)
    if (read === undefined) {
      this.complete = false
      return undefined
    }
    try {
      const base = spec.base && this.#resolve(spec.base, this.labels, name, 'base')
      if (spec.base !== undefined && base === undefined) return undefined
      const image = loadImage(read, this.#machine, this.#boot, site, base)
      const known = new Map([...image.symbols, ...this.labels, ...image.symbols])
      const entry =
        spec.entry === undefined
          ? BigInt.asUintN(64, read.entry + image.base)
          : this.#resolve(spec.entry, known, name, 'entry')
      const end = spec.end && this.#resolve(spec.end, known, name, 'end')
      if (entry === undefined || (spec.end !== undefined && end === undefined)) return undefined
      for (const [symbol, address] of image.symbols) {
        this.labels.set(this.labels.has(symbol) ? `${name}.${symbol}` : symbol, address)
      }
      if (!this.labels.has(name)) this.labels.set(name, entry)
      if (end !== undefined) this.ends.push({ address: end, cpl: site.cpl })
      return { image, entry }
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      this.#problems.addError(imageError(this.#scenario, name, error), this.#cell)
      this.complete = false
      return undefined
    }
  }

  #resolve(
    quantity: Quantity,
    known: ReadonlyMap<string, bigint>,
    name: ProgramName,
    key: 'entry' | 'end' | 'base',
  ): bigint | undefined {
    try {
      return evaluate(quantity, known)
    } catch (error) {
      if (!(error instanceof QuantityError)) throw error
      const message = error.message.replace('label', 'symbol')
      const hint = error.hint?.replace(/^labels:/, 'symbols:')
      this.#problems.add({ path: [name, key], at: 'value', message, hint }, this.#cell)
      this.complete = false
      return undefined
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
