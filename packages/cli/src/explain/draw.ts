import { type Paint, pad, width, wrap } from '../terminal/style.js'
import type { Explanation, StepVerdict } from './explanation.js'

/** Steps that stand in one line: the last of them says something. */
export interface StepGroup {
  /** Numbers from 1, as in the manual pages. */
  readonly first: number
  readonly last: number
  readonly stage: string
  readonly verdict: StepVerdict
  readonly words: string
  readonly manual: string
}

/** The steps of an explanation in groups: what passed in silence goes with the next step that has something to say. */
export function groupSteps({ steps, verdicts, words, fault }: Explanation): StepGroup[] {
  const groups: StepGroup[] = []
  let first: number | null = null
  let sections: string[] = []
  steps.forEach(({ stage, text, manual }, n) => {
    const verdict = verdicts[n]!
    if (verdict === 'idle' || verdict === 'unreached') return
    first ??= n
    sections.push(...manual.split('; '))
    const said = words.get(n)
    if (said === undefined && verdict !== 'failed') return
    const told = verdict === 'failed' ? `not so: ${text}${said === undefined ? '' : ` (${said})`}: ${fault}` : said!
    groups.push({
      first: first + 1,
      last: n + 1,
      stage,
      verdict,
      words: told,
      manual: [...new Set(sections)].join('; '),
    })
    first = null
    sections = []
  })
  return groups
}

const MARKS: Readonly<Record<StepVerdict, string>> = { passed: '✓', done: '→', failed: '✗', idle: ' ', unreached: '·' }

/** An explanation for a terminal, a line a group, indented. */
export function drawExplanation(explanation: Explanation, columns: number, paint: Paint): string[] {
  const { title, about, fault, verdicts } = explanation
  const head = title.toLowerCase() === about.toLowerCase().split(/[\sq]/)[0] ? title : `${title} of ${about}`
  const lines = [`    ${paint(fault === null ? 'strong' : 'bad', head)}`]
  const groups = groupSteps(explanation)
  const range = Math.max(...groups.map(({ first, last }) => (first === last ? `${first}` : `${first}–${last}`).length))
  const stages = Math.max(...groups.map(({ stage }) => width(stage)))
  const indent = 6 + 2 + range + 2 + stages + 2
  for (const { first, last, stage, verdict, words, manual } of groups) {
    const number = first === last ? `${first}` : `${first}–${last}`
    const mark =
      verdict === 'failed'
        ? paint('bad', MARKS.failed)
        : verdict === 'passed'
          ? paint('good', MARKS.passed)
          : MARKS[verdict]
    const texts = wrap(words, Math.max(30, columns - indent))
    const section = `[${manual}]`
    if (width(texts.at(-1)!) + 2 + width(section) <= Math.max(30, columns - indent)) {
      texts.push(`${texts.pop()}  ${paint('faint', section)}`)
    } else texts.push(`  ${paint('faint', section)}`)
    texts.forEach((text, n) => {
      const label =
        n === 0 ? `${mark} ${paint('faint', pad(number, range))}  ${pad(stage, stages)}  ` : ' '.repeat(indent - 6)
      lines.push(`      ${label}${verdict === 'failed' && n === 0 ? paint('bad', text) : text}`)
    })
  }
  const unreached = verdicts.filter((verdict) => verdict === 'unreached').length
  if (unreached > 0)
    lines.push(`      ${paint('faint', `· the other ${unreached} steps were not reached; no register has changed`)}`)
  return lines
}
