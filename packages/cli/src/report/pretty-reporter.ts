import { prettyEnd, prettyScenario, prettyTotals } from './pretty.js'
import type { ReporterKind } from './reporter.js'

/** For people: a line a cell, what failed under it, and the totals. */
export const PRETTY: ReporterKind = {
  summary: 'for people: a line a cell, and what failed in it',
  create({ write, paint }) {
    return {
      scenario: (report) => write(`${prettyScenario(report, paint)}\n`),
      end: ({ totals, leftOut, end }) => write(`${prettyTotals(totals, paint)}${prettyEnd(leftOut, end, paint)}`),
    }
  },
}
