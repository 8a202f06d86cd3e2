import type { ExplainedData, ReportData } from '../report-data.js'
import { h } from './dom.js'

const SIGNS: Readonly<Record<string, readonly [sign: string, word: string]>> = {
  p: ['✓', 'passed'],
  d: ['→', 'done'],
  f: ['✗', 'failed'],
  i: ['–', 'nothing to do'],
  u: ['·', 'not reached'],
}

interface Group {
  readonly first: number
  readonly last: number
  readonly letter: string
  readonly stage: string
  readonly words: string
  readonly manual: string
}

/** A delivery in words: what passed in silence goes with the next step that has something to say. */
export function explanation(data: ExplainedData, report: ReportData): HTMLElement {
  const procedure = report.procedures[data.by]!
  const counted = [...data.verdicts].filter((letter) => letter === 'p').length
  const unreached = [...data.verdicts].filter((letter) => letter === 'u').length
  const title =
    procedure.title.toLowerCase().split(' ')[0] === data.about.toLowerCase().replace(/q$/, '').split(' ')[0]
      ? procedure.title
      : `${procedure.title} of ${data.about}`
  const sum = data.fault === undefined ? `${counted} ${counted === 1 ? 'check' : 'checks'} passed` : `✗ ${data.fault}`
  return h(
    'details',
    { class: 'explanation', open: true },
    h(
      'summary',
      {},
      h('span', { class: 'explanation-title' }, title),
      ' ',
      h('span', { class: data.fault === undefined ? 'faint' : 'bad' }, sum),
    ),
    h('ol', { class: 'explained' }, groupsOf(data, report).map(groupItem)),
    unreached === 0
      ? null
      : h('p', { class: 'faint' }, `The other ${unreached} steps were not reached: no register has changed.`),
    h(
      'details',
      { class: 'every-check' },
      h('summary', {}, `All ${procedure.steps.length} steps of the manual, in order`),
      h(
        'ol',
        {},
        procedure.steps.map(({ text, manual, fault }, n) => {
          const letter = data.verdicts[n]!
          const [sign, word] = SIGNS[letter]!
          return h(
            'li',
            { class: `check check-${letter}` },
            h('span', { class: 'check-sign', title: word }, sign, h('span', { class: 'unseen' }, ` ${word}: `)),
            h(
              'span',
              {},
              text,
              fault === undefined ? null : h('span', { class: 'faint' }, ` else ${fault}`),
              ' ',
              h('cite', {}, manual),
            ),
          )
        }),
      ),
    ),
  )
}

function groupItem({ first, last, letter, stage, words, manual }: Group): HTMLElement {
  const [sign, word] = SIGNS[letter]!
  return h(
    'li',
    { class: `check check-${letter}` },
    h('span', { class: 'check-sign', title: word }, sign, h('span', { class: 'unseen' }, ` ${word}: `)),
    h(
      'span',
      { class: 'check-body' },
      h(
        'span',
        { class: 'check-stage' },
        stage,
        h('span', { class: 'check-number' }, ` ${first === last ? first : `${first}–${last}`}`),
      ),
      h('span', { class: 'check-words' }, words),
      h('cite', {}, manual),
    ),
  )
}

function groupsOf(data: ExplainedData, report: ReportData): Group[] {
  const { steps } = report.procedures[data.by]!
  const words = new Map(data.words)
  const groups: Group[] = []
  let first: number | null = null
  let sections: string[] = []
  steps.forEach(({ stage, text, manual }, n) => {
    const letter = data.verdicts[n]!
    if (letter === 'i' || letter === 'u') return
    first ??= n
    sections.push(...manual.split('; '))
    const said = words.get(n)
    if (said === undefined && letter !== 'f') return
    const told = letter === 'f' ? `Not so: ${text}${said === undefined ? '' : ` (${said})`}. ${data.fault}` : said!
    groups.push({
      first: first + 1,
      last: n + 1,
      letter,
      stage,
      words: told,
      manual: [...new Set(sections)].join('; '),
    })
    first = null
    sections = []
  })
  return groups
}
