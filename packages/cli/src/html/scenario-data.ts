import { vectorName } from '@trapframe/core'
import { align } from '../compare/align.js'
import { facts } from '../compare/facts.js'
import { milestones } from '../compare/milestone.js'
import { pairCells } from '../compare/pairs.js'
import type { Followed } from '../follow/follow-scenario.js'
import { DELIVERY_AXIS } from '../scenario/matrix.js'
import type { Scenario } from '../scenario/scenario.js'
import { cellData } from './cell-data.js'
import { lockstep } from './lockstep.js'
import type { ProcedureData, ReportData, RowData, ScenarioData, ViewData } from './report-data.js'

/** All that a page is given. */
export function reportData(
  scenarios: readonly (readonly [scenario: Scenario, followed: readonly Followed[]])[],
  generator: string,
): ReportData {
  return {
    generator,
    procedures: proceduresOf(scenarios.flatMap(([, followed]) => followed)),
    scenarios: scenarios
      .filter(([, followed]) => followed.length > 0)
      .map(([scenario, followed]) => scenarioData(scenario, followed)),
  }
}

/** What the page is told about a scenario. */
function scenarioData({ name, file, about, refs }: Scenario, followed: readonly Followed[]): ScenarioData {
  return {
    name,
    file,
    ...(about === undefined ? {} : { about }),
    refs,
    cells: followed.map(cellData),
    views: viewsOf(followed),
  }
}

/** Cells that differ in delivery side by side; each of the others next to the one that it is most like, or alone. */
function viewsOf(followed: readonly Followed[]): ViewData[] {
  const { groups, others } = pairCells(followed)
  const shown = new Set(groups.flat())
  const views = groups.map((group) => {
    const rest = Object.entries(group[0]!.cell.axes).filter(([axis]) => axis !== DELIVERY_AXIS)
    const columns = group.map(({ cell }) => String(cell.axes[DELIVERY_AXIS]).toUpperCase())
    const title = [columns.join(' and '), ...rest.map(([axis, value]) => `${axis}: ${value}`)].join(', ')
    return view(title, group, columns, followed)
  })
  for (const { item, like } of others) {
    shown.add(item)
    const columns = [like, item].map(({ cell }) => cell.name)
    views.push(view(`${item.cell.name}, next to ${like.cell.name}`, [like, item], columns, followed))
  }
  for (const item of followed) {
    if (shown.has(item)) continue
    const title = item.cell.name || 'the run'
    views.push(view(title, [item], [item.cell.name || item.run.boot.delivery.toUpperCase()], followed))
  }
  return views
}

function view(
  title: string,
  group: readonly Followed[],
  columns: readonly string[],
  all: readonly Followed[],
): ViewData {
  const runs = group.map(({ run }) => run)
  const rows = align(runs.map(milestones))
  const trails = group.map(({ trail }) => [...trail.head, ...trail.tail].map(({ step }) => step.number))
  return {
    title,
    cells: group.map((one) => all.indexOf(one)),
    columns,
    rows: lockstep(rows, trails).map(({ at, row }): RowData => {
      if (row === null) return { at }
      return { at, label: row.label, lines: row.cells.map((cell) => cell?.lines ?? []) }
    }),
    facts: group.length < 2 ? [] : facts(runs),
  }
}

/** The steps of everything that was explained, by the explainer's name. */
function proceduresOf(followed: Iterable<Followed>): Record<string, ProcedureData> {
  const procedures: Record<string, ProcedureData> = {}
  for (const { trail } of followed) {
    for (const { by, title, steps } of [...trail.head, ...trail.tail].flatMap(({ explanations }) => explanations)) {
      procedures[by] ??= {
        title,
        steps: steps.map(({ stage, text, manual, fault }) => ({
          stage,
          text,
          manual,
          ...(fault === undefined
            ? {}
            : { fault: `${vectorName(fault.vector)}${fault.errorCode === undefined ? '' : `(${fault.errorCode})`}` }),
        })),
      }
    }
  }
  return procedures
}
