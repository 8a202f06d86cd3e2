import { relative, resolve, sep } from 'node:path'
import { Document, isScalar, visit } from 'yaml'
import { quantityText } from '../scenario/quantity.js'
import type { CellSpec, ClauseSpec, Scenario } from '../scenario/scenario.js'
import { folderOf, modulePath } from '../session/modules.js'
import type { Counterexample, PathInjection } from './job.js'

/** How the moments of injections are written. */
export interface Moment {
  readonly label?: string
  readonly address?: string
  readonly step?: number
  readonly occurrence?: number
  readonly cpu?: number
}

/** What a counterexample says beside what its scenario says. */
export interface Written {
  readonly found: Pick<Counterexample, 'invariant' | 'message' | 'events' | 'label'>
  readonly injections: readonly (PathInjection & { readonly at: Moment })[]
  /** Which CPU makes each step; left out where there is one. */
  readonly cpus: readonly number[] | undefined
  readonly steps: number
  /** Labels of the cell's host at which the scenario's own code stands. */
  readonly replaced: ReadonlySet<string>
  /** The folder that the file is written to. */
  readonly folder: string
}

/**
 * A counterexample as a scenario of its own: that of the cell with the matrix's values filled in, with injections, a
 * schedule where there are several CPUs, as many steps as it takes, and the violation as the only expectation.
 */
export function counterexampleText(scenario: Scenario, cell: CellSpec, written: Written): string {
  const { found, injections, cpus, steps, replaced, folder } = written
  const { machine } = cell
  const home = folderOf(scenario.file)
  const programs = Object.entries(scenario.programs).map(([name, program]) => {
    if (!('elf' in program)) return [name, program.text] as const
    const { elf, ...rest } = program
    const places = Object.entries(rest).flatMap(([key, quantity]) =>
      quantity === undefined ? [] : [[key, quantityText(quantity)] as const],
    )
    return [name, { elf: movedPath(resolve(home, elf), folder), ...Object.fromEntries(places) }] as const
  })
  const { options, plugins, ...machineRest } = machine
  const code = Object.entries(scenario.code).filter(([label]) => replaced.has(label))
  const data = {
    name: `${scenario.name}: ${found.invariant}${cell.name === '' ? '' : ` (${cell.name})`}`,
    about: about(scenario, cell, written),
    ...(scenario.refs.length === 0 ? {} : { refs: scenario.refs }),
    machine: {
      ...defined(machineRest),
      ...(Object.keys(options).length === 0 ? {} : { options }),
      ...(plugins.length === 0 ? {} : { plugins: plugins.map((module) => movedModule(module, home, folder)) }),
    },
    ...Object.fromEntries(programs),
    ...(cell.start.length === 0 ? {} : { start: cell.start.length === 1 ? cell.start[0] : cell.start }),
    ...(cell.setup.length === 0 ? {} : { setup: cell.setup.map(clause) }),
    ...(code.length === 0 ? {} : { code: Object.fromEntries(code.map(([label, { text }]) => [label, text])) }),
    ...(injections.length === 0 ? {} : { inject: injections.map(injection) }),
    ...(cpus === undefined ? {} : { schedule: cpus }),
    limits: { steps },
    expect: [{ violates: found.invariant }],
  }
  return stringify(data)
}

function about(scenario: Scenario, cell: CellSpec, { found, injections, steps, cpus }: Written): string {
  const where = cell.name === '' ? '' : `, cell ${cell.name}`
  const way = injections.map(({ event, step, cpu, label }, n) => {
    const whose = cpus === undefined ? '' : ` of CPU ${cpu}`
    return `  ${n + 1}. before step ${step}${whose}: ${event} at ${label}`
  })
  return [
    `Found by trapframe explore in "${scenario.name}"${where}.`,
    ...way,
    `Step ${steps}, at ${found.label}, breaks ${found.invariant}:`,
    `${found.message}.`,
    '',
  ].join('\n')
}

const clause = ({ cpu, verbs }: ClauseSpec): Record<string, unknown> => ({
  ...(cpu === undefined ? {} : { cpu }),
  ...Object.fromEntries(verbs.map(({ name, value }) => [name, value])),
})

function injection({ verb: [event, value], at }: PathInjection & { readonly at: Moment }): Record<string, unknown> {
  return { event, ...value, at }
}

/** A path of the scenario's folder as seen from another one. */
function movedPath(path: string, to: string): string {
  const moved = relative(resolve(to), path).split(sep).join('/')
  return moved.startsWith('.') ? moved : `./${moved}`
}

/** A module of the scenario's folder as seen from another one; a package keeps its name. */
function movedModule(module: string, home: string, to: string): string {
  const path = modulePath(module, home)
  return path === undefined ? module : movedPath(path, to)
}

const defined = (object: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))

/** Lists whose entries stand on one line each. */
const LISTS = ['setup', 'inject', 'expect']
const WIDTH = 116

function stringify(data: Record<string, unknown>): string {
  const document = new Document(data)
  for (const list of LISTS) {
    const entries = (data[list] as readonly unknown[] | undefined) ?? []
    for (const [n, entry] of entries.entries()) {
      document.setIn([list, n], document.createNode(entry, { flow: true }))
    }
  }
  for (const key of ['machine', 'schedule', 'limits', 'refs']) {
    if (data[key] !== undefined) document.set(key, document.createNode(data[key], { flow: true }))
  }
  visit(document, {
    Scalar(_key, node) {
      if (isScalar(node) && typeof node.value === 'bigint' && node.value > 9n) node.format = 'HEX'
    },
  })
  return document.toString({ lineWidth: WIDTH, flowCollectionPadding: true })
}
