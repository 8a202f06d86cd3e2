import type { StepData } from '../report-data.js'
import { h } from './dom.js'
import type { Walk } from './walk.js'

/** What a row is, as a sign and a word. */
const KINDS = {
  violation: ['▲', 'violation'],
  event: ['↯', 'event'],
  fault: ['✗', 'fault'],
  return: ['↩', 'return'],
  step: ['', ''],
} as const

/** The list of rows: one is chosen, and told to assistive technology by `aria-activedescendant`. */
export class Timeline {
  readonly element: HTMLElement
  readonly #list: HTMLElement
  readonly #options = new Map<number, HTMLElement>()
  #current: HTMLElement | undefined
  readonly #go: (row: number) => void

  constructor(go: (row: number) => void) {
    this.#go = go
    this.#list = h('div', {
      class: 'timeline-list',
      role: 'listbox',
      id: 'timeline',
      tabindex: 0,
      'aria-label': 'Steps',
      click: (event) => {
        const option = (event.target as Element).closest('[data-row]')
        if (option !== null) this.#go(Number(option.getAttribute('data-row')))
      },
    })
    this.element = h('section', { class: 'timeline', 'aria-label': 'Timeline' })
  }

  /** Draws the rows that are shown. */
  draw(walk: Walk): void {
    this.#options.clear()
    this.#current = undefined
    const several = walk.cells.length > 1
    const head = h(
      'div',
      { class: `row row-head columns-${walk.cells.length}`, 'aria-hidden': 'true' },
      h('span', { class: 'row-sign' }),
      walk.view.columns.map((name) => h('span', { class: 'row-cell' }, name)),
    )
    const options = walk.visible.map((row) => {
      const option = this.#option(walk, row)
      this.#options.set(row, option)
      return option
    })
    this.#list.replaceChildren(...options)
    if (options.length === 0) this.#list.append(h('p', { class: 'empty' }, 'No step is like that.'))
    this.element.replaceChildren(...(several ? [head] : []), this.#list)
    this.choose(walk)
  }

  /** Marks the chosen row and brings it into sight. */
  choose({ row }: Walk): void {
    this.#current?.setAttribute('aria-selected', 'false')
    const option = this.#options.get(row)
    this.#current = option
    if (option === undefined) {
      this.#list.removeAttribute('aria-activedescendant')
      this.#list.scrollTop = 0
      return
    }
    option.setAttribute('aria-selected', 'true')
    this.#list.setAttribute('aria-activedescendant', option.id)
    const { offsetTop, offsetHeight } = option
    const { scrollTop, clientHeight } = this.#list
    if (offsetTop < scrollTop + 40 || offsetTop + offsetHeight > scrollTop + clientHeight - 40) {
      this.#list.scrollTop = offsetTop - clientHeight / 2 + offsetHeight / 2
    }
  }

  focus(): void {
    this.#list.focus()
  }

  #option(walk: Walk, row: number): HTMLElement {
    const data = walk.view.rows[row]!
    const steps = walk.stepsOf(row)
    const kind = kindOf(walk, row)
    const [sign, word] = KINDS[kind]
    const milestone = data.label !== undefined
    return h(
      'div',
      {
        class: `row row-${kind}${milestone ? ' row-milestone' : ''} columns-${walk.cells.length}`,
        role: 'option',
        id: `row-${row}`,
        'data-row': row,
        'aria-selected': 'false',
      },
      h(
        'span',
        { class: 'row-sign', title: word || null },
        sign,
        word === '' ? null : h('span', { class: 'unseen' }, word),
      ),
      steps.map((step, column) => cellOf(step, several(walk) ? walk.view.columns[column]! : null)),
    )
  }
}

const several = (walk: Walk): boolean => walk.cells.length > 1

function cellOf(step: StepData | null, column: string | null): HTMLElement {
  if (step === null) {
    return h('span', { class: 'row-cell row-none' }, h('span', { class: 'unseen' }, `${column}: nothing`))
  }
  const text = titleOf(step)
  return h(
    'span',
    { class: 'row-cell', title: `${text}  at ${step.from}` },
    column === null ? null : h('span', { class: 'unseen' }, `${column}: step `),
    h('span', { class: 'row-number' }, String(step.n)),
    h('span', { class: 'row-text' }, text),
  )
}

/** A step in a few words. */
export function titleOf({ kind, text, explained, faults, cpu, injected }: StepData): string {
  const whose = cpu > 0 ? `CPU ${cpu}: ` : ''
  if (kind === 'idle') return `${whose}waits${injected === undefined ? '' : `, ${injected.join(', ')} becomes pending`}`
  if (kind === 'event')
    return `${whose}↯ ${explained?.[0]?.about ?? faults?.[0]?.replace(/^.* while delivering /, '') ?? 'event'}`
  return whose + text
}

function kindOf(walk: Walk, row: number): keyof typeof KINDS {
  if (walk.isViolation(row)) return 'violation'
  const steps = walk.stepsOf(row)
  if (steps.some((step) => step?.faults !== undefined)) return 'fault'
  if (walk.isEvent(row)) return 'event'
  return walk.isReturn(row) ? 'return' : 'step'
}
