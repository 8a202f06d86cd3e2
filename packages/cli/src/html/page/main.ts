import './page.css'
import type { ReportData } from '../report-data.js'
import { h, svg } from './dom.js'
import { panel } from './panel.js'
import { summary } from './summary.js'
import { nextTheme, showTheme, storedTheme } from './theme.js'
import { Timeline, titleOf } from './timeline.js'
import { FILTERS, type Filter, Walk } from './walk.js'

const report = JSON.parse(document.getElementById('report')!.textContent!) as ReportData

/** Every view of every scenario, in order. */
const views = report.scenarios.flatMap((scenario) => scenario.views.map((view) => ({ scenario, view })))

const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ['→ ↓ j', 'next step'],
  ['← ↑ k', 'step before'],
  ['Home End', 'start, end'],
  ['n p', 'next event, event before'],
  ['v', 'next violation'],
  ['m', 'milestones alone, or every step'],
  ['r', 'all registers, or those that changed'],
  ['/', 'search'],
  ['a', 'about this scenario'],
  ['t', 'theme'],
  ['?', 'these keys'],
]

class Page {
  #number = 0
  #walk: Walk
  #allRegisters = false
  readonly #timeline = new Timeline((row) => this.#goTo(row))
  readonly #panels = h('div', { class: 'panels' })
  readonly #below = h('div', { class: 'below' })
  readonly #title = h('h1')
  readonly #verdict = h('p', { class: 'verdict' })
  readonly #position = h('output', { class: 'position', 'aria-live': 'off' })
  readonly #said = h('p', { class: 'unseen', 'aria-live': 'polite', role: 'status' })
  readonly #matches = h('span', { class: 'matches faint', 'aria-live': 'polite' })
  readonly #slider = h('input', {
    type: 'range',
    class: 'slider',
    min: -1,
    step: 1,
    'aria-label': 'Step',
    input: () => this.#goTo(Number(this.#slider.value)),
  })
  readonly #search = h('input', {
    type: 'search',
    class: 'search',
    placeholder: 'Search steps',
    'aria-label': 'Search steps',
    'aria-keyshortcuts': '/',
    autocomplete: 'off',
    input: () => this.#select(),
  })
  readonly #filter = h(
    'select',
    { 'aria-label': 'Which steps', change: () => this.#select() },
    Object.entries(FILTERS).map(([name, words]) => h('option', { value: name }, words)),
  )
  readonly #choice = h(
    'select',
    { class: 'choice', 'aria-label': 'What to look at', change: () => this.#open(Number(this.#choice.value)) },
    this.#choices(),
  )
  readonly #aboutButton = button('About', 'a', () => this.#showAbout(), 'About this scenario')
  readonly #theme = button('Theme', 't', () => this.#changeTheme())
  readonly #back = button(icon('back'), 'ArrowLeft', () => this.#move(-1), 'Step back')
  readonly #forth = button(icon('forth'), 'ArrowRight', () => this.#move(1), 'Step forward')
  readonly #start = button(icon('start'), 'Home', () => this.#goTo(-1), 'To the start')
  readonly #end = button(icon('end'), 'End', () => this.#goTo(this.#walk.visible.at(-1) ?? -1), 'To the end')
  readonly #nextEvent = button('Next ↯', 'n', () => this.#seek('event', 1), 'Next event')
  readonly #lastEvent = button('↯ Back', 'p', () => this.#seek('event', -1), 'Event before')
  readonly #nextViolation = button('Next ▲', 'v', () => this.#seek('violation', 1), 'Next violation')
  readonly #help = h(
    'dialog',
    { class: 'help', 'aria-labelledby': 'keys' },
    h('h2', { id: 'keys' }, 'Keys'),
    h(
      'dl',
      {},
      KEYS.flatMap(([keys, does]) => [
        h(
          'dt',
          {},
          keys.split(' ').map((key) => h('kbd', {}, key)),
        ),
        h('dd', {}, does),
      ]),
    ),
    h(
      'p',
      { class: 'faint' },
      'Signs: ↯ event · ↩ return · ✗ fault · ▲ violated invariant · filled arrow RSP · empty diamond SSP',
    ),
    h('form', { method: 'dialog' }, h('button', {}, 'Close')),
  )

  constructor() {
    this.#walk = new Walk(views[0]!.scenario, views[0]!.view)
    this.#showTheme(storedTheme())
  }

  begin(): void {
    document.getElementById('page')!.append(
      h('a', { class: 'skip', href: '#timeline' }, 'Skip to the steps'),
      h(
        'header',
        { class: 'top' },
        h('div', { class: 'headline' }, this.#title, this.#verdict),
        h(
          'div',
          { class: 'choices' },
          views.length > 1 ? this.#choice : null,
          this.#aboutButton,
          this.#theme,
          button('Keys', '?', () => this.#help.showModal(), 'Keys'),
        ),
      ),
      h(
        'div',
        { class: 'bar', role: 'toolbar', 'aria-label': 'Stepping' },
        h('div', { class: 'bar-group' }, this.#start, this.#back, this.#forth, this.#end),
        h('div', { class: 'bar-group bar-slide' }, this.#slider, this.#position),
        h('div', { class: 'bar-group' }, this.#lastEvent, this.#nextEvent, this.#nextViolation),
        h('div', { class: 'bar-group bar-search' }, this.#filter, this.#search, this.#matches),
      ),
      h('main', { class: 'viewer' }, this.#timeline.element, this.#panels),
      this.#below,
      h('footer', { class: 'foot faint' }, report.generator),
      this.#said,
      this.#help,
    )
    document.addEventListener('keydown', (event) => this.#key(event))
    const [number, row] = placeInAddress()
    this.#open(number, row)
  }

  #choices(): HTMLElement[] {
    const option = (n: number, title: string): HTMLElement => h('option', { value: n }, title)
    if (report.scenarios.length === 1) return views.map(({ view }, n) => option(n, view.title))
    return report.scenarios.map((scenario) =>
      h(
        'optgroup',
        { label: scenario.name },
        views.flatMap((one, n) => (one.scenario === scenario ? [option(n, one.view.title)] : [])),
      ),
    )
  }

  #open(number: number, row = -1): void {
    const { scenario, view } = views[number]!
    const { filter } = this.#walk
    this.#number = number
    this.#walk = new Walk(scenario, view)
    this.#walk.select(filter, this.#search.value)
    this.#walk.row = Math.min(Math.max(row, -1), view.rows.length - 1)
    this.#choice.value = String(number)
    this.#title.textContent = scenario.name
    const failed = scenario.cells.filter(({ passed }) => !passed).length
    const violated = scenario.cells.filter(({ violations }) => violations.length > 0).length
    const words =
      failed > 0
        ? `✗ ${failed} of ${scenario.cells.length === 1 ? '1 cell' : `${scenario.cells.length} cells`} failed`
        : `✓ ${scenario.cells.length === 1 ? '1 cell' : `${scenario.cells.length} cells`} passed`
    this.#verdict.replaceChildren(
      h('span', { class: failed > 0 ? 'bad' : 'good' }, words),
      violated === 0 ? '' : h('span', { class: 'warn' }, `▲ violations in ${violated}`),
      h('span', { class: 'faint' }, scenario.file),
    )
    this.#aboutButton.hidden = scenario.about === undefined
    this.#panels.className = `panels panels-${view.cells.length}`
    this.#slider.max = String(view.rows.length - 1)
    this.#nextViolation.hidden = !view.rows.some((_row, n) => this.#walk.isViolation(n))
    this.#below.replaceChildren(...summary(scenario, view))
    this.#timeline.draw(this.#walk)
    this.#showMatches()
    this.#show()
  }

  #select(): void {
    this.#walk.select(this.#filter.value as Filter, this.#search.value)
    this.#timeline.draw(this.#walk)
    this.#showMatches()
    this.#show()
  }

  #showMatches(): void {
    const { visible, view, filter, query } = this.#walk
    this.#matches.textContent = filter === 'all' && query === '' ? '' : `${visible.length} of ${view.rows.length}`
  }

  #move(by: number): void {
    this.#walk.move(by)
    this.#show()
  }

  #goTo(row: number): void {
    this.#walk.row = row
    this.#show()
  }

  #seek(what: 'event' | 'violation', direction: 1 | -1): void {
    const found = this.#walk.seek(what === 'event' ? this.#walk.isEvent : this.#walk.isViolation, direction)
    if (!found) this.#said.textContent = direction > 0 ? `no ${what} after this step` : `no ${what} before this step`
    else this.#show()
  }

  #show(): void {
    const walk = this.#walk
    const { row, view } = walk
    this.#panels.replaceChildren(...walk.cells.map((_cell, column) => panel(walk, column, report, this.#allRegisters)))
    this.#timeline.choose(walk)
    this.#slider.value = String(row)
    const position = row < 0 ? 'start' : `${row + 1} of ${view.rows.length}`
    this.#slider.setAttribute('aria-valuetext', position)
    this.#position.textContent = position
    this.#back.disabled = row < 0
    this.#start.disabled = row < 0
    const last = walk.visible.at(-1) ?? -1
    this.#forth.disabled = row >= last
    this.#end.disabled = row >= last
    this.#said.textContent = row < 0 ? 'Before the first step' : this.#sentence(row)
    history.replaceState(null, '', `#${this.#number}.${row + 1}`)
  }

  /** A row for somebody who does not see it. */
  #sentence(row: number): string {
    const { view } = this.#walk
    const parts = this.#walk.stepsOf(row).flatMap((step, column) => {
      if (step === null) return []
      const violated = step.violated === undefined ? '' : ', an invariant is violated'
      return [`${view.columns[column]}, step ${step.n}: ${titleOf(step)}${violated}`]
    })
    return parts.join('. ')
  }

  #showAbout(): void {
    const about = document.getElementById('about')
    about?.scrollIntoView({ block: 'center' })
    about?.focus()
  }

  #changeTheme(): void {
    this.#showTheme(nextTheme())
  }

  #showTheme(theme: 'auto' | 'light' | 'dark'): void {
    showTheme(theme)
    this.#theme.textContent = `Theme: ${theme}`
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || this.#help.open) return
    const target = event.target as HTMLElement
    if (event.key === 'Escape' && target === this.#search) {
      this.#search.value = ''
      this.#select()
      this.#timeline.focus()
      return
    }
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return
    const act = this.#actions[event.key]
    if (act === undefined) return
    event.preventDefault()
    act()
  }

  readonly #actions: Readonly<Record<string, () => void>> = {
    ArrowRight: () => this.#move(1),
    ArrowDown: () => this.#move(1),
    j: () => this.#move(1),
    ArrowLeft: () => this.#move(-1),
    ArrowUp: () => this.#move(-1),
    k: () => this.#move(-1),
    PageDown: () => this.#move(10),
    PageUp: () => this.#move(-10),
    Home: () => this.#goTo(-1),
    End: () => this.#goTo(this.#walk.visible.at(-1) ?? -1),
    n: () => this.#seek('event', 1),
    p: () => this.#seek('event', -1),
    v: () => this.#seek('violation', 1),
    m: () => {
      this.#filter.value = this.#filter.value === 'all' ? 'milestones' : 'all'
      this.#select()
    },
    r: () => {
      this.#allRegisters = !this.#allRegisters
      this.#show()
    },
    a: () => this.#showAbout(),
    t: () => this.#changeTheme(),
    '/': () => this.#search.focus(),
    '?': () => this.#help.showModal(),
  }
}

const ICONS = {
  start: 'M4 3v10M13 3 6.5 8 13 13Z',
  back: 'M11.5 3 5 8l6.5 5Z',
  forth: 'M4.5 3 11 8l-6.5 5Z',
  end: 'M12 3v10M3 3l6.5 5L3 13Z',
} as const

function icon(name: keyof typeof ICONS): SVGElement {
  return svg(
    'svg',
    { class: 'icon', viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true' },
    svg('path', { d: ICONS[name] }),
  )
}

function button(face: string | SVGElement, key: string, act: () => void, label = String(face)): HTMLButtonElement {
  return h(
    'button',
    {
      type: 'button',
      'aria-label': label === face ? null : label,
      'aria-keyshortcuts': key,
      title: `${label} (${key.replace('Arrow', '')})`,
      click: act,
    },
    face,
  )
}

/** View and row as the page's own address has them, `#0.12`. */
function placeInAddress(): [number: number, row: number] {
  const [, view, row] = /^#(\d+)\.(\d+)$/.exec(location.hash) ?? []
  const number = Number(view ?? 0)
  return number < views.length ? [number, Number(row ?? 0) - 1] : [0, -1]
}

if (views.length > 0) new Page().begin()
