import type { ScenarioData, ViewData } from '../report-data.js'
import { h } from './dom.js'

/** What stands under the steps: what differs, what was expected, the essay, the log. */
export function summary(scenario: ScenarioData, view: ViewData): HTMLElement[] {
  return [differences(view), about(scenario), ...verdicts(scenario), ...logs(scenario, view)].filter(
    (one) => one !== null,
  )
}

function differences({ facts, columns }: ViewData): HTMLElement | null {
  if (facts.length === 0) return null
  return h(
    'section',
    { class: 'sheet', 'aria-labelledby': 'differs' },
    h('h2', { id: 'differs' }, 'What differs, and what does not'),
    h(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Comparison' },
      h(
        'table',
        { class: 'facts' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('td'),
            h('th', { scope: 'col' }, ''),
            columns.map((name) => h('th', { scope: 'col' }, name)),
          ),
        ),
        h(
          'tbody',
          {},
          facts.map(({ name, values, equal }) =>
            h(
              'tr',
              { class: equal ? 'equal' : 'different' },
              h(
                'td',
                { class: 'fact-sign' },
                equal ? '=' : '≠',
                h('span', { class: 'unseen' }, equal ? 'equal' : 'different'),
              ),
              h('th', { scope: 'row' }, name),
              equal
                ? h('td', { colspan: columns.length }, values[0] ?? '')
                : values.map((value, n) => h('td', { 'data-column': columns[n] ?? '' }, value)),
            ),
          ),
        ),
      ),
    ),
  )
}

function about({ about, refs }: ScenarioData): HTMLElement | null {
  if (about === undefined && refs.length === 0) return null
  const paragraphs = (about ?? '').split(/\n\s*\n/).map((text) => text.trim())
  return h(
    'section',
    { class: 'sheet essay', id: 'about', tabindex: -1, 'aria-label': 'About this scenario' },
    h('h2', {}, 'About this scenario'),
    paragraphs.filter(Boolean).map((text) => h('p', {}, text)),
    refs.length === 0 ? null : h('p', { class: 'faint' }, `References: ${refs.join(', ')}`),
  )
}

function verdicts({ cells }: ScenarioData): HTMLElement[] {
  return [
    h(
      'section',
      { class: 'sheet', 'aria-labelledby': 'verdicts' },
      h('h2', { id: 'verdicts' }, 'What was expected'),
      h(
        'ul',
        { class: 'verdicts' },
        cells.map(({ name, passed, outcome, steps, setting, expectations, violations }) => {
          const met = expectations.filter(({ holds }) => holds).length
          const first = violations.filter(
            (one, n) => violations.findIndex(({ invariant }) => invariant === one.invariant) === n,
          )
          return h(
            'li',
            {},
            h(
              'p',
              {},
              h('span', { class: passed ? 'good' : 'bad' }, passed ? '✓ passed' : '✗ failed'),
              ' ',
              h('strong', {}, name || 'the run'),
              h(
                'span',
                { class: 'faint' },
                `  ${outcome} after ${steps} steps, ${met} of ${expectations.length} expectations met`,
              ),
            ),
            h('p', { class: 'faint' }, setting),
            first.map(({ invariant, message, step, expected }) =>
              h(
                'p',
                { class: 'violation' },
                h('strong', {}, `▲ ${invariant} violated`),
                ` at step ${step}${expected ? ', as expected' : ''}: ${message}`,
              ),
            ),
            h(
              'details',
              { open: !passed },
              h('summary', {}, `${expectations.length} expectations`),
              h(
                'ul',
                { class: 'expectations' },
                expectations.map(({ verb, line, holds, expected, actual }) =>
                  h(
                    'li',
                    {},
                    h(
                      'span',
                      { class: holds ? 'good' : 'bad' },
                      holds ? '✓' : '✗',
                      h('span', { class: 'unseen' }, holds ? 'met' : 'not met'),
                    ),
                    ' ',
                    h('strong', {}, verb),
                    h('span', { class: 'faint' }, ` line ${line}`),
                    h('br'),
                    holds ? actual : [`expected ${expected}`, h('br'), `but ${actual}`],
                  ),
                ),
              ),
            ),
          )
        }),
      ),
    ),
  ]
}

function logs({ cells }: ScenarioData, view: ViewData): HTMLElement[] {
  return view.cells.flatMap((n, column) => {
    const { log } = cells[n]!
    if (log.length === 0) return []
    return [
      h(
        'details',
        { class: 'sheet log' },
        h('summary', {}, `Log of ${view.columns[column]}: ${log.length} ${log.length === 1 ? 'line' : 'lines'}`),
        h('pre', { tabindex: 0 }, log.join('\n')),
      ),
    ]
  })
}
