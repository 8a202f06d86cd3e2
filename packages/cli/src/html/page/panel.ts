import type { CellData, LineData, ReportData, StepData } from '../report-data.js'
import { h } from './dom.js'
import { explanation } from './explained.js'
import { stackPicture } from './stack-picture.js'
import { titleOf } from './timeline.js'
import { registerValue, type Standing, stateAt, type Walk } from './walk.js'

/** One column: where its run stands, what has just happened, its stacks, and the registers that changed. */
export function panel(walk: Walk, column: number, report: ReportData, allRegisters: boolean): HTMLElement {
  const standing = walk.standings()[column]!
  const { cell, place, moved } = standing
  const step = place < 0 ? null : cell.trail[place]!
  const state = stateAt(cell, place)
  const lines = walk.row < 0 ? [] : (walk.view.rows[walk.row]!.lines?.[column] ?? [])
  const name = walk.view.columns[column]!
  const level = cell.maps[state.map]?.levels ? registerValue(cell, state, 'SL') : null
  return h(
    'section',
    { class: `panel${moved ? '' : ' panel-waits'}`, 'aria-label': name },
    h(
      'header',
      { class: 'panel-head' },
      h('h2', {}, name),
      h(
        'p',
        { class: 'badges' },
        badge(step === null ? 'start' : `step ${step.n} of ${cell.steps}`),
        badge(`CPL ${registerValue(cell, state, 'CPL')}`),
        level === null ? null : badge(`SL ${level}`),
        state.cpu > 0 || cell.initial.length > 1 ? badge(`CPU ${state.cpu}`) : null,
      ),
    ),
    h('div', { class: 'happened' }, happened(standing, step, lines, moved), violations(cell, step, moved)),
    h('div', { class: 'stacks' }, stackPicture(cell, state, step?.strayed ?? strayedAt(cell, place), `pic${column}`)),
    h('div', { class: 'explanations' }, moved ? (step?.explained ?? []).map((one) => explanation(one, report)) : null),
    registers(cell, place, moved ? step : null, allRegisters),
  )
}

const badge = (text: string): HTMLElement => h('span', { class: 'badge' }, text)

/** Whose memory RSP is in: as the last step said, which leaves it out where RSP is on a stack. */
function strayedAt(cell: CellData, place: number): string | undefined {
  return place < 0 ? (cell.initialStrayed[0] ?? undefined) : cell.trail[place]!.strayed
}

function happened(
  { cell, place }: Standing,
  step: StepData | null,
  lines: readonly LineData[],
  moved: boolean,
): (HTMLElement | null)[] {
  if (step === null) {
    const next = cell.trail[0]
    return [
      h('p', { class: 'what' }, 'Before the first step'),
      next === undefined ? null : h('p', { class: 'where' }, 'at ', h('code', {}, next.from)),
    ]
  }
  const gap = place > 0 && step.n !== cell.trail[place - 1]!.n + 1
  return [
    gap ? h('p', { class: 'faint' }, `${cell.omitted} steps before this one are left out of this page.`) : null,
    h(
      'p',
      { class: 'what' },
      moved ? null : h('span', { class: 'faint' }, 'still after '),
      h('code', {}, titleOf(step)),
    ),
    h(
      'p',
      { class: 'where' },
      'at ',
      h('code', {}, step.from),
      step.to === undefined || lines.length > 0 ? null : [' → ', h('code', {}, step.to)],
      step.line === undefined ? null : h('span', { class: 'faint' }, `  line ${step.line}`),
    ),
    moved && step.injected !== undefined
      ? h('p', { class: 'tone-warn' }, `↯ becomes pending here: ${step.injected.join(', ')}`)
      : null,
    moved && lines.length === 0
      ? (step.faults ?? []).map((fault) => h('p', { class: 'tone-bad' }, `✗ ${fault}`))
      : null,
    moved ? lines.map(({ text, tone }) => h('p', { class: `tone-${tone}` }, text)) : null,
    moved && step.shutdown && lines.length === 0 ? h('p', { class: 'tone-bad' }, '✗ shutdown') : null,
  ].flat()
}

function violations(cell: CellData, step: StepData | null, moved: boolean): HTMLElement[] {
  if (!moved) return []
  return (step?.violated ?? []).map((n) => {
    const { invariant, message, expected } = cell.violations[n]!
    return h(
      'p',
      { class: 'violation', role: 'note' },
      h('strong', {}, `▲ ${invariant} violated`),
      expected ? ' (as the scenario expects)' : '',
      h('br'),
      message,
    )
  })
}

/** The registers that the step changed, and the others if they are wanted. */
function registers(cell: CellData, place: number, step: StepData | null, all: boolean): HTMLElement {
  const changed = new Map(step?.set ?? [])
  const state = stateAt(cell, place)
  const before = place >= 0 && step !== null ? stateBefore(cell, place) : state.registers
  const shown = cell.registers.flatMap((name, n) => (all || changed.has(n) ? [[name, n] as const] : []))
  return h(
    'details',
    { class: 'registers', open: true },
    h('summary', {}, all ? 'Registers' : 'Registers that changed', h('span', { class: 'faint' }, ` ${changed.size}`)),
    shown.length === 0
      ? h('p', { class: 'faint' }, 'none')
      : h(
          'table',
          {},
          h(
            'thead',
            { class: 'unseen' },
            h(
              'tr',
              {},
              h('th', { scope: 'col' }, 'register'),
              h('th', { scope: 'col' }, 'before'),
              h('th', { scope: 'col' }, 'after'),
            ),
          ),
          h(
            'tbody',
            {},
            shown.map(([name, n]) => {
              const value = state.registers[n]!
              const different = changed.has(n)
              return h(
                'tr',
                { class: different ? 'changed' : null },
                h('th', { scope: 'row' }, name),
                h('td', { class: 'faint' }, different ? before[n]! : ''),
                h('td', {}, different ? h('span', { class: 'arrow', 'aria-hidden': 'true' }, '→ ') : null, value),
              )
            }),
          ),
        ),
  )
}

function stateBefore(cell: CellData, place: number): readonly string[] {
  const { cpu } = cell.trail[place]!
  let at = place - 1
  while (at >= 0 && cell.trail[at]!.cpu !== cpu) at--
  return at < 0 ? cell.initial[cpu]! : stateAt(cell, at).registers
}
