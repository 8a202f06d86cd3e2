import { z } from 'zod'
import { integer, oneOrMore, text } from '../../scenario/schema.js'
import { canonicalEventName, EVENT_NAMES } from '../event-names.js'
import { expectationVerb, type Verdict } from '../slots.js'
import { fitsPattern, patternText, TRACE_PATTERN, tracePattern } from '../trace-pattern.js'

/** Whether all of `wanted` come in this order, with anything in between; else the number of the first that does not. */
function inOrder<Wanted, Item>(
  wanted: readonly Wanted[],
  items: Iterable<Item>,
  matches: (wanted: Wanted, item: Item) => boolean,
): number {
  let next = 0
  for (const item of items) if (next < wanted.length && matches(wanted[next]!, item)) next++
  return next
}

/** `events: [NMI, "#PF"]`: delivered to one CPU in this order, with others in between. */
export const EVENTS = expectationVerb({
  summary: 'events that are delivered in this order; others may come in between',
  schema: z.array(text).min(1),
  bind(written, context) {
    const wanted = written.map((name, i) => canonicalEventName(name) ?? context.oneOf(name, EVENT_NAMES, 'events', [i]))
    return {
      verdict(run): Verdict {
        const own = run.deliveries.filter(({ cpu }) => cpu === context.cpu.id).map(({ event }) => event)
        const met = inOrder(wanted, own, (name, event) => name === event)
        return {
          holds: met === wanted.length,
          expected: `the events ${wanted.join(', ')}`,
          actual: own.length === 0 ? 'no event was delivered' : own.join(', '),
        }
      },
    }
  },
})

/** `delivered: 2`: with `events`, that there were no others. */
export const DELIVERED = expectationVerb({
  summary: 'how many events were delivered to one CPU',
  schema: integer(0, 1_000_000),
  bind: (wanted, { cpu }) => ({
    verdict(run): Verdict {
      const own = run.deliveries.filter((delivery) => delivery.cpu === cpu.id).map(({ event }) => event)
      const list = own.length === 0 ? '' : `: ${own.slice(0, 10).join(', ')}${own.length > 10 ? ', …' : ''}`
      return {
        holds: own.length === wanted,
        expected: `${wanted} event${wanted === 1 ? '' : 's'} delivered`,
        actual: `${own.length}${list}`,
      }
    },
  }),
})

/** `log: "Using FRED"`: lines of the host's log that contain these texts, in this order. */
export const LOG = expectationVerb({
  summary: "texts in the host's log, in this order",
  schema: oneOrMore(text),
  bind: (wanted) => ({
    verdict(run): Verdict {
      const met = inOrder(wanted, run.log, (part, line) => line.includes(part))
      const expected = `in the log: ${wanted.map((part) => JSON.stringify(part)).join(', ')}`
      if (met === wanted.length) return { holds: true, expected, actual: 'found' }
      const log = run.log.length === 0 ? 'the log is empty' : `the log is: ${run.log.join(' | ')}`
      return { holds: false, expected, actual: `${JSON.stringify(wanted[met])} is not there; ${log}` }
    },
  }),
})

/** `trace: [{ type: stack-switch, why: IST2 }, { type: return }]`: entries in this order, with others in between. */
export const TRACE = expectationVerb({
  summary: 'entries of the trace in this order: type, and any fields of it',
  schema: z.array(TRACE_PATTERN).min(1),
  bind(written, context) {
    const patterns = written.map((entry, i) => tracePattern(entry, [i], context))
    return {
      trace: true,
      verdict(run): Verdict {
        const met = inOrder(patterns, run.trace, fitsPattern)
        const missing = patterns[met]
        return {
          holds: missing === undefined,
          expected: patterns.map(patternText).join(', then '),
          actual: missing === undefined ? 'found' : `no ${patternText(missing)}${met === 0 ? '' : ' after the others'}`,
        }
      },
    }
  },
})
