import { z } from 'zod'
import { text } from '../../scenario/schema.js'
import { lineDiff } from '../../snapshot/diff.js'
import { PARTS, snapshotText } from '../../snapshot/text.js'
import { expectationVerb, type Verdict } from '../slots.js'

const NAME = text
  .max(100)
  .regex(/^[^|\r\n]*[^|\r\n\s]$/, { message: 'the name of a snapshot is one line, without "|"' })
  .describe('the name of the snapshot, once in a scenario')

const SCHEMA = z.union([
  NAME.transform((name) => ({ name, of: ['end', 'events', 'log'] as (typeof PARTS)[number][] })),
  z.strictObject({
    name: NAME,
    of: z
      .array(z.enum(PARTS))
      .min(1)
      .describe(
        'end: outcome and registers; events: deliveries with their frames; log: of the host; trace: everything',
      ),
  }),
])

/** `snapshot: nmi`, `snapshot: { name: nmi, of: [events, trace] }`. */
export const SNAPSHOT = expectationVerb({
  summary: 'the run is the one that was kept in a file beside the scenario: a name; --update keeps this one',
  schema: SCHEMA,
  bind({ name, of }, { snapshots, cell, wrong }) {
    if (!snapshots.claim(name, cell)) wrong(`snapshot "${name}" is there twice`, 'each has a name of its own')
    return {
      trace: of.includes('trace'),
      verdict(run): Verdict {
        const now = snapshotText(run, of)
        const expected = `as in ${snapshots.path}`
        if (snapshots.update) {
          snapshots.keep(name, cell, now)
          return { holds: true, expected, actual: 'kept' }
        }
        const kept = snapshots.kept(name, cell)
        if (kept === undefined) {
          return { holds: false, expected, actual: `there is no snapshot "${name}" for this cell: --update keeps one` }
        }
        if (kept === now) return { holds: true, expected, actual: 'the same' }
        const lines = lineDiff(kept, now).map((line) => `\n          ${line}`)
        return {
          holds: false,
          expected,
          actual: `it differs (- kept, + now; --update keeps it as it is now)${lines.join('')}`,
        }
      },
    }
  },
})
