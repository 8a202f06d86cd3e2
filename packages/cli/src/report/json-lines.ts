import { cellObject, toJson } from './json.js'
import type { ReporterKind } from './reporter.js'

/**
 * One object a line: `{ type: 'cell', … }` for each cell as soon as its scenario is done, `{ type: 'unreadable', … }` for
 * a file that could not be read, and at last `{ type: 'summary', … }`.
 */
export const JSON_LINES: ReporterKind = {
  summary: 'one JSON object a line: each cell when it is done, then a summary',
  create({ write }) {
    const line = (value: unknown): void => write(toJson(value, 0))
    return {
      scenario({ file, name: scenario, refs, cells, milliseconds }) {
        cells.forEach((cell, i) => {
          line({ type: 'cell', file, scenario, refs, ...cellObject(cell), milliseconds: rounded(milliseconds[i]!) })
        })
      },
      unreadable: (file) => line({ type: 'unreadable', ...file }),
      end: ({ totals, leftOut, end, milliseconds }) =>
        line({ type: 'summary', end, totals, leftOut, milliseconds: rounded(milliseconds) }),
    }
  },
}

const rounded = (milliseconds: number): number => Math.round(milliseconds * 10) / 10
