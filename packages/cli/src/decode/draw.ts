import { type Paint, pad, width, wrap } from '../terminal/style.js'
import type { Finding } from './recognise.js'

const WIDEST = 100

/** Findings for people: what was recognised, its fields, what is odd about it, and the likely cause. */
export function drawFindings(findings: readonly Finding[], columns: number | undefined, paint: Paint): string {
  const most = Math.min(columns ?? WIDEST, WIDEST)
  return findings.map((finding) => drawFinding(finding, most, paint)).join('\n')
}

function drawFinding({ reporter, line, fields, oddities, causes }: Finding, columns: number, paint: Paint): string {
  const lines = [`${paint('title', reporter)}  ${line}`, '']
  const names = Math.max(...fields.map(({ name }) => width(name)))
  const values = Math.max(...fields.map(({ value }) => width(value)))
  for (const { name, value, meaning } of fields) {
    lines.push(`  ${paint('faint', pad(name, names))}  ${paint('strong', pad(value, values))}  ${meaning}`.trimEnd())
  }
  if (oddities.length > 0) {
    lines.push('', paint('warn', '  No CPU leaves a frame like this'))
    for (const oddity of oddities) lines.push(...paragraph(oddity, columns))
  }
  for (const [n, { text, known = [], scenario }] of causes.entries()) {
    lines.push('', paint('accent', n === 0 ? '  Likely cause' : '  Besides'), ...paragraph(text, columns))
    const references = known.map((reference) => `Known: ${reference}`)
    if (scenario !== undefined) references.push(`Scenario: ${scenario}`)
    for (const reference of references) lines.push(...paragraph(reference, columns).map((row) => paint('faint', row)))
  }
  return `${lines.join('\n')}\n`
}

const paragraph = (text: string, columns: number): string[] =>
  wrap(text, columns - 4).map((row) => `    ${row.trimStart()}`)
