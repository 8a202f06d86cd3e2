import { stringify } from 'yaml'
import { placeText } from '../error/frame.js'
import type { ReporterKind } from './reporter.js'
import type { CellResult } from './result.js'

/**
 * TAP version 14: a subtest for each scenario with a test point for each cell, and a YAML block under what failed. The
 * plan comes last, because reading a folder does not tell how much there will be.
 */
export const TAP: ReporterKind = {
  summary: 'TAP version 14, with a subtest for each scenario',
  create({ write }) {
    let points = 0
    let begun = false
    const say = (text: string): void => {
      if (!begun) write('TAP version 14\n')
      begun = true
      write(text)
    }
    return {
      scenario({ file, name, cells }) {
        const title = description(`${name} (${file})`)
        const inside = cells.map((cell, i) => cellPoint(i + 1, cell, name)).join('')
        say(`# Subtest: ${title}\n${inside}    1..${cells.length}\n`)
        say(`${verdict(cells.every(({ passed }) => passed))} ${++points} - ${title}\n`)
      },
      unreadable({ file, errors }) {
        say(`not ok ${++points} - ${description(file)}\n${block('  ', { message: 'cannot be read', errors })}`)
      },
      end({ end }) {
        if (end === 'interrupted') say('Bail out! interrupted\n')
        else if (end === 'bailed') say('Bail out! stopped at the first failure\n')
        else say(`1..${points}\n`)
      },
    }
  },
}

const verdict = (passed: boolean): string => (passed ? 'ok' : 'not ok')

function cellPoint(number: number, cell: CellResult, scenario: string): string {
  const title = description(cell.name === '' ? scenario : cell.name)
  const point = `    ${verdict(cell.passed)} ${number} - ${title}\n`
  if (cell.passed) return point
  const failed = cell.expectations
    .filter(({ holds }) => !holds)
    .map(({ verb, place, expected, actual }) => ({ verb, at: placeText(place), expected, actual }))
  const { outcome, steps, log } = cell
  return point + block('      ', { outcome, steps, failed, ...(log.length === 0 ? {} : { log }) })
}

/** A YAML block, indented below its test point. */
function block(indent: string, value: unknown): string {
  const lines = stringify(value, { lineWidth: 0 }).trimEnd().split('\n')
  return ['---', ...lines, '...'].map((line) => `${indent}${line}\n`).join('')
}

/** `#` begins a directive and `\` escapes it; a line end would begin another line of TAP. */
const description = (text: string): string => text.replace(/[\\#]/g, '\\$&').replace(/\s+/g, ' ')
