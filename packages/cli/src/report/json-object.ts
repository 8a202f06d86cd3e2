import { runObject, toJson } from './json.js'
import type { ReporterKind } from './reporter.js'

/** One object at the end of the run, as `--json` prints it. */
export const JSON_OBJECT: ReporterKind = {
  summary: 'one JSON object at the end, the same as --json',
  create: ({ write }) => ({
    end: ({ scenarios, unreadable, totals, end }) => write(toJson(runObject(scenarios, unreadable, totals, end))),
  }),
}
