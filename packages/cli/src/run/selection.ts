import { UsageError } from '../error/usage-error.js'
import type { Axes } from '../scenario/matrix.js'
import type { CellSpec, Scenario } from '../scenario/scenario.js'

/** Which scenarios and cells a person wants to see run. Empty: all of them. */
export interface Selection {
  /** Any of these, in the name or as one of the references. */
  readonly filters: readonly string[]
  /** Values of axes: a cell has one of those that are given for each axis. */
  readonly cells: Readonly<Record<string, readonly string[]>>
}

export const EVERYTHING: Selection = { filters: [], cells: {} }

/** `delivery=fred` as axis and value. @throws UsageError for anything else */
export function parseCellChoice(written: string): readonly [axis: string, value: string] {
  const equals = written.indexOf('=')
  if (equals < 1)
    throw new UsageError(`"${written}" selects no cell`, 'write --cell AXIS=VALUE, such as --cell delivery=fred')
  return [written.slice(0, equals).trim(), written.slice(equals + 1).trim()]
}

/** The selection that a command line asks for. */
export function selectionOf(filters: readonly string[], choices: readonly string[]): Selection {
  const cells: Record<string, string[]> = {}
  for (const choice of choices) {
    const [axis, value] = parseCellChoice(choice)
    cells[axis] = [...(Object.hasOwn(cells, axis) ? cells[axis]! : []), value]
  }
  return { filters, cells }
}

/** Whether a scenario is wanted: a filter is part of its name, or a whole word of one of its references. */
export function wantsScenario({ filters }: Selection, { name, refs }: Pick<Scenario, 'name' | 'refs'>): boolean {
  return (
    filters.length === 0 || filters.some((filter) => isIn(name, filter) || refs.some((ref) => isWordOf(ref, filter)))
  )
}

/** Whether a cell is wanted. */
export function wantsCell({ cells }: Selection, { axes }: Pick<CellSpec, 'axes'>): boolean {
  return Object.entries(cells).every(
    ([axis, values]) => Object.hasOwn(axes, axis) && values.includes(String(axes[axis])),
  )
}

const isIn = (text: string, part: string): boolean => text.toLowerCase().includes(part.toLowerCase())

function isWordOf(text: string, word: string): boolean {
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`(?<![\\w-])${escaped}(?![\\w-])`, 'i').test(text)
}

/** The values of each axis that occur in cells, as text. */
export function axesOf(cells: readonly { readonly axes: Axes }[]): Readonly<Record<string, readonly string[]>> {
  const found = new Map<string, Set<string>>()
  for (const { axes } of cells) {
    for (const [axis, value] of Object.entries(axes)) {
      const values = found.get(axis) ?? new Set()
      found.set(axis, values.add(String(value)))
    }
  }
  return Object.fromEntries([...found].map(([axis, values]) => [axis, [...values]]))
}
