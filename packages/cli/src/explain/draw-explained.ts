import type { Followed } from '../follow/follow-scenario.js'
import type { TrailStep } from '../follow/trail.js'
import { plural } from '../report/plural.js'
import type { Scenario } from '../scenario/scenario.js'
import { type Paint, painter } from '../terminal/style.js'
import type { Output } from '../terminal/terminal.js'
import { drawExplanation } from './draw.js'

/** Steps of one cell that are explained at most. */
const MOST = 200
const IN_A_PIPE = 120
const WIDEST = 150

/** Every delivery of a scenario's runs, and every instruction that entered or left a ring, step by step. */
export function drawExplained({ name, file }: Scenario, followed: readonly Followed[], output: Output): string {
  const paint = painter(output)
  const columns = Math.min(WIDEST, output.columns ?? IN_A_PIPE)
  const lines: string[] = []
  for (const { cell, trail } of followed) {
    const title = cell.name === '' ? '' : `  ${paint('title', cell.name)}`
    lines.push('', `${paint('strong', name)}${title}  ${paint('faint', file)}`)
    lines.push(...drawSteps([...trail.head, ...trail.tail], columns, paint))
  }
  return `${lines.join('\n')}\n`
}

function drawSteps(trail: readonly TrailStep[], columns: number, paint: Paint): string[] {
  const steps = trail.filter(({ explanations }) => explanations.length > 0)
  if (steps.length === 0) return [`  ${paint('faint', 'no event was delivered, and no ring was left')}`]
  const lines: string[] = []
  for (const { step, explanations } of steps.slice(0, MOST)) {
    const what = step.kind === 'event' ? `↯ ${explanations[0]!.about}` : step.text
    const whose = step.cpu > 0 ? `CPU ${step.cpu}  ` : ''
    lines.push('', `  ${paint('faint', `step ${step.number}`)}  ${whose}${what}`)
    for (const explanation of explanations) lines.push(...drawExplanation(explanation, columns, paint))
  }
  if (steps.length > MOST) lines.push('', `  ${paint('faint', `… ${plural(steps.length - MOST, 'more step')}`)}`)
  return lines
}
