import type { CellData, RowData, ScenarioData, StepData, ViewData } from '../report-data.js'

/** Which rows are shown. */
export const FILTERS = {
  all: 'Every step',
  milestones: 'Milestones',
  events: 'Events, faults, returns',
  violations: 'Violations',
} as const
export type Filter = keyof typeof FILTERS

/** One column of a view at one row. */
export interface Standing {
  readonly cell: CellData
  /** The last step made, as a place in the cell's list; -1 before the first. */
  readonly place: number
  /** The row is a step of this column. */
  readonly moved: boolean
}

/** A way through the rows of one view. Rows count from 0; -1 is before the first step. */
export class Walk {
  readonly scenario: ScenarioData
  readonly view: ViewData
  readonly cells: readonly CellData[]
  /** The row that is looked at. */
  row = -1
  /** Rows that are shown, ascending. */
  visible: readonly number[] = []
  filter: Filter = 'all'
  query = ''
  /** For each row and column the last step made. */
  readonly #reached: readonly (readonly number[])[]

  constructor(scenario: ScenarioData, view: ViewData) {
    this.scenario = scenario
    this.view = view
    this.cells = view.cells.map((n) => scenario.cells[n]!)
    const now = view.cells.map(() => -1)
    this.#reached = view.rows.map(({ at }) => {
      at.forEach((place, column) => {
        if (place !== null) now[column] = place
      })
      return [...now]
    })
    this.select('all', '')
  }

  /** Chooses which rows are shown, and stays on the nearest of them. */
  select(filter: Filter, query: string): void {
    this.filter = filter
    this.query = query
    const words = query.toLowerCase().split(/\s+/).filter(Boolean)
    const shown: number[] = []
    this.view.rows.forEach((row, n) => {
      if (this.#passes(row, n, filter) && words.every((word) => this.#text(row).includes(word))) shown.push(n)
    })
    this.visible = shown
    if (this.row >= 0 && shown.length > 0 && !shown.includes(this.row)) {
      this.row = shown.find((n) => n >= this.row) ?? shown.at(-1)!
    }
  }

  standings(row = this.row): Standing[] {
    const at = row < 0 ? [] : this.view.rows[row]!.at
    return this.cells.map((cell, column) => ({
      cell,
      place: row < 0 ? -1 : this.#reached[row]![column]!,
      moved: at[column] != null,
    }))
  }

  /** The steps that a row makes, by column. */
  stepsOf(row: number): (StepData | null)[] {
    return this.view.rows[row]!.at.map((place, column) => (place === null ? null : this.cells[column]!.trail[place]!))
  }

  /** Goes `by` shown rows on, or back. */
  move(by: number): void {
    const { visible } = this
    if (visible.length === 0) return
    const here = visible.indexOf(this.row)
    const target = here + by
    this.row = target < 0 ? -1 : visible[Math.min(target, visible.length - 1)]!
  }

  /** Goes to the next row, or the one before, that has what is asked for. False where there is none. */
  seek(what: (row: number) => boolean, direction: 1 | -1): boolean {
    for (let n = this.row + direction; n >= 0 && n < this.view.rows.length; n += direction) {
      if (!what(n) || !this.visible.includes(n)) continue
      this.row = n
      return true
    }
    return false
  }

  isEvent = (row: number): boolean =>
    this.stepsOf(row).some(
      (step) => step !== null && (step.kind === 'event' || step.pushed !== undefined || step.faults !== undefined),
    )

  isReturn = (row: number): boolean => this.stepsOf(row).some((step) => step?.returned === true)

  isViolation = (row: number): boolean => this.stepsOf(row).some((step) => step?.violated !== undefined)

  #passes(row: RowData, n: number, filter: Filter): boolean {
    switch (filter) {
      case 'milestones':
        return row.label !== undefined || this.isViolation(n)
      case 'events':
        return this.isEvent(n) || this.isReturn(n) || this.isViolation(n)
      case 'violations':
        return this.isViolation(n)
      default:
        return true
    }
  }

  /** What a search looks through. */
  #text(row: RowData): string {
    const steps = row.at.flatMap((place, column) => (place === null ? [] : [this.cells[column]!.trail[place]!]))
    return [
      row.label ?? '',
      ...(row.lines ?? []).flat().map(({ text }) => text),
      ...steps.flatMap((step) => [
        `#${step.n}`,
        step.text,
        step.from,
        step.to ?? '',
        ...(step.faults ?? []),
        ...(step.injected ?? []),
        ...(step.explained ?? []).map(({ about }) => about),
      ]),
    ]
      .join(' ')
      .toLowerCase()
  }
}

/** Registers of a CPU after some step, the live frames and the stack map. */
export interface MachineState {
  readonly cpu: number
  readonly registers: readonly string[]
  readonly live: readonly (readonly [frame: number, bits: number])[]
  readonly map: number
}

/** The state after a step, of the CPU that made it. */
export function stateAt(cell: CellData, place: number): MachineState {
  const cpu = place < 0 ? 0 : cell.trail[place]!.cpu
  const registers = [...(cell.initial[cpu] ?? [])]
  let live: MachineState['live'] = []
  let map = cell.initialMaps[cpu] ?? 0
  for (let n = 0; n <= place; n++) {
    const step = cell.trail[n]!
    if (step.cpu !== cpu) continue
    for (const [register, value] of step.set) registers[register] = value
    if (step.live !== undefined) live = step.live
    if (step.map !== undefined) map = step.map
  }
  return { cpu, registers, live, map }
}

/** The value of a register by its name; 0 where the report does not follow it. */
export function registerValue(cell: CellData, state: MachineState, name: string): bigint {
  return BigInt(`0x${state.registers[cell.registers.indexOf(name)] || '0'}`)
}
