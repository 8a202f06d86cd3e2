import { plural } from '../report/plural.js'
import { type Paint, painter } from '../terminal/style.js'
import type { Output } from '../terminal/terminal.js'
import type { ExploredCell } from './explore-files.js'
import { duration, grouped } from './progress.js'
import type { WrittenCounterexample } from './write-counterexample.js'

/** How a cell is shown. */
export interface CellStyle {
  /** The scenario was not named yet. */
  readonly first: boolean
  /** What is good is what the scenario says; else it is that nothing was found. */
  readonly check: boolean
}

/** What a search of a cell has found. */
export function drawCell(cell: ExploredCell, { first, check }: CellStyle, output: Pick<Output, 'color'>): string {
  const paint = painter(output)
  const { outcome, counterexamples, unmet, leftOut } = cell
  const lines = first ? ['', `${paint('strong', cell.name)}  ${paint('faint', cell.file)}`] : []
  const title = outcome.job.cell === '' ? '' : `${outcome.job.cell}  `
  lines.push(`  ${mark(cell, check, paint)} ${title}${summary(cell)}`)
  for (const one of counterexamples) lines.push(...drawCounterexample(one, paint))
  for (const { message, label } of outcome.limits) {
    lines.push(`      ${paint('warn', 'limit')}  the model cannot go on at ${label}: ${message}`)
  }
  for (const text of unmet) lines.push(`      ${paint('bad', 'expected')}  ${text}`)
  if (leftOut > 0) lines.push(`      ${paint('faint', `${plural(leftOut, 'injection')} of the scenario left out`)}`)
  return `${lines.join('\n')}\n`
}

function mark({ outcome, counterexamples, unmet }: ExploredCell, check: boolean, paint: Paint): string {
  if (unmet.length > 0 || (counterexamples.length > 0 && !check)) return paint('bad', '✗')
  return outcome.complete || check ? paint('good', '✓') : paint('warn', '…')
}

const STOPPED = {
  states: 'stopped by its budget of states',
  steps: 'some paths stopped by the budget of steps',
  time: 'stopped by its budget of time',
  violations: 'stopped after enough violations',
  aborted: 'interrupted',
  model: 'some paths stopped by limits of the model',
} as const

function summary({ outcome, counterexamples }: ExploredCell): string {
  const { states, passed, transitions, depth, seconds, stopped, complete, job } = outcome
  const verdict =
    counterexamples.length === 0 ? 'no violation' : `${plural(counterexamples.length, 'invariant')} violated`
  const how = complete
    ? `complete to ${plural(job.plan.depth, 'event')}`
    : stopped.map((reason) => STOPPED[reason]).join(', ')
  const sizes = `${grouped(states + passed)} states, ${grouped(transitions)} transitions, ${plural(depth, 'step')} deep`
  return `${verdict}, ${how}: ${sizes}, ${duration(seconds)}`
}

function drawCounterexample({ found, scenario, replay }: WrittenCounterexample, paint: Paint): string[] {
  const { invariant, message, events, steps, label, path, others } = found
  const head = `${paint('bad', invariant)} after ${plural(events, 'event')} and ${plural(steps, 'step')}: ${message}`
  const several = new Set(path.cpus).size > 1
  const lines = [
    `      ${head}`,
    ...path.injections.map(({ event, step, cpu, label: at }, n) => {
      const whose = several ? ` on CPU ${cpu}` : ''
      return `        ${n + 1}. step ${step}${whose}: ${event} at ${at}`
    }),
    `        ${path.injections.length + 1}. step ${steps}: broken at ${label}`,
  ]
  if (others > 0)
    lines.push(`        ${paint('faint', `also at ${plural(others, 'other place')} or with other events`)}`)
  if (replay !== null) lines.push(`        replay: ${paint('accent', replay)}`)
  else if (scenario === null) lines.push(`        ${paint('warn', noReplay(found.path.unsaid))}`)
  return lines
}

const noReplay = (unsaid: readonly string[]): string =>
  unsaid.length > 0
    ? `no scenario: "inject" has no verb for ${unsaid.join(', ')}`
    : 'no scenario: the same steps of a fresh run do not break it (is something read below the stack pointer?)'
