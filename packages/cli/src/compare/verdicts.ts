import { placeText } from '../error/frame.js'
import { type Paint, pad, width } from '../terminal/style.js'
import type { Ran } from './compare-file.js'

/** The end of a comparison: what became of each cell's expectations, and the sum. */
export function drawVerdicts(ran: readonly Ran[], paint: Paint): string[] {
  const widest = Math.max(...ran.map(({ cell }) => width(cell.name)))
  const lines: string[] = []
  for (const one of ran) {
    const { cell, result } = one
    const met = result.expectations.filter(({ holds }) => holds).length
    const mark = result.passed ? paint('good', '✓') : paint('bad', '✗')
    lines.push(`  ${mark} ${pad(cell.name, widest)}  ${met} of ${result.expectations.length} expectations met`)
    for (const { invariant, message, step } of result.violations) {
      const why = isExpected(one, invariant) ? 'as expected' : 'not expected'
      lines.push(`    ${pad('', widest)}  ${paint('bad', '✗')} ${invariant}: ${message}, at step ${step} (${why})`)
    }
    for (const { verb, place, holds, expected, actual } of result.expectations) {
      if (holds) continue
      lines.push(
        `      ${placeText(place)}  ${paint('strong', verb)}`,
        `        expected  ${expected}`,
        `        actual    ${paint('bad', actual)}`,
      )
    }
  }
  const failed = ran.filter(({ result }) => !result.passed).length
  const violated = ran.filter(
    (one) => one.result.passed && one.result.violations.some(({ invariant }) => isExpected(one, invariant)),
  ).length
  const passed = ran.length - failed - violated
  const sums = [
    `${passed} passed`,
    ...(violated > 0 ? [`${violated} violated as expected`] : []),
    ...(failed > 0 ? [paint('bad', `${failed} failed`)] : []),
  ]
  return [...lines, '', `  ${sums.join(', ')}`]
}

/** Whether the cell says that the invariant is violated. */
function isExpected({ cell }: Ran, invariant: string): boolean {
  return cell.expect.some(({ verbs }) =>
    verbs.some(({ name, value }) => name === 'violates' && [value].flat().includes(invariant)),
  )
}
