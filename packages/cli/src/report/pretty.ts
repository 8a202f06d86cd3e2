import { placeText } from '../error/frame.js'
import { type Paint, pad, width } from '../terminal/style.js'
import { plural } from './plural.js'
import type { RunEnd } from './reporter.js'
import type { CellResult, ScenarioResult, Totals } from './result.js'

/** Lines of the host's log that a failed cell shows. */
const LOG_LINES = 3

/** A scenario's result for people: a line a cell, and what failed in it. */
export function prettyScenario({ file, name, cells }: ScenarioResult, paint: Paint): string {
  const widest = Math.max(0, ...cells.map((cell) => width(cell.name)))
  const lines = [`${paint('strong', name)}  ${paint('faint', file)}`]
  for (const cell of cells) {
    lines.push(cellLine(cell, widest, paint))
    for (const { verb, place, holds, expected, actual } of cell.expectations) {
      if (holds) continue
      lines.push(
        `      ${placeText(place)}  ${paint('strong', verb)}`,
        `        expected  ${expected}`,
        `        actual    ${paint('bad', actual)}`,
      )
    }
    if (!cell.passed && cell.log.length > 0) {
      lines.push(`      ${paint('faint', `log       ${cell.log.slice(-LOG_LINES).join(' | ')}`)}`)
    }
    for (const { invariant, message, step } of cell.violations) {
      if (!cell.unmentioned.includes(invariant)) continue
      lines.push(
        `      ${paint('warn', 'note')}  ${invariant} is violated, and nothing expects or forbids it: ${message}, at step ${step}`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}

function cellLine(cell: CellResult, widest: number, paint: Paint): string {
  const mark = cell.passed ? paint('good', '✓') : paint('bad', '✗')
  const held = cell.expectations.filter(({ holds }) => holds).length
  const all = cell.expectations.length
  const counted =
    all === 0
      ? 'nothing expected'
      : `${held === all ? all : `${held} of ${all}`} expectation${all === 1 ? '' : 's'} met`
  const title = widest === 0 ? '' : `${pad(cell.name, widest)}  `
  return `  ${mark} ${title}${paint('faint', `${cell.outcome} after ${plural(cell.steps, 'step')}, ${counted}`)}`
}

/** The last line of a run. */
export function prettyTotals({ scenarios, unreadable, cells, passed, failed }: Totals, paint: Paint): string {
  if (cells === 0 && unreadable > 0) return `${paint('bad', `${plural(unreadable, 'scenario')} could not be read`)}\n`
  const parts = [
    paint(passed > 0 ? 'good' : 'faint', `${passed} passed`),
    paint(failed > 0 ? 'bad' : 'faint', `${failed} failed`),
    ...(unreadable > 0 ? [paint('bad', `${plural(unreadable, 'scenario')} could not be read`)] : []),
  ]
  return `${plural(scenarios, 'scenario')}, ${plural(cells, 'cell')}: ${parts.join(', ')}\n`
}

/** Why the totals are not of everything; empty where they are. */
export function prettyEnd(leftOut: number, end: RunEnd, paint: Paint): string {
  const lines = [
    ...(leftOut > 0 ? [paint('faint', `${plural(leftOut, 'cell')} left out by the selection`)] : []),
    ...(end === 'bailed' ? [paint('warn', 'stopped at the first failure: there may be more')] : []),
    ...(end === 'interrupted' ? [paint('warn', 'interrupted: this is what is known')] : []),
  ]
  return lines.map((line) => `${line}\n`).join('')
}
