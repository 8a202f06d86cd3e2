import type { TraceEntry, TraceEvents, TraceType } from '@trapframe/core'
import { z } from 'zod'
import { describe } from '../../scenario/issues.js'
import { parseQuantity, QuantityError } from '../../scenario/quantity.js'
import { integer, oneOrMore, text } from '../../scenario/schema.js'
import { canonicalEventName, EVENT_NAMES } from '../event-names.js'
import { expectationVerb, type VerbContext, type Verdict } from '../slots.js'

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

/** What entries of a trace have, by type. */
const FIELDS: { readonly [T in TraceType]: readonly (keyof TraceEvents[T] & string)[] } = {
  instruction: ['cpu', 'rip', 'text', 'cpl'],
  event: ['cpu', 'event', 'eventType', 'vector', 'errorCode', 'nested', 'mechanism', 'rip', 'rsp', 'cpl'],
  'stack-switch': ['cpu', 'from', 'to', 'why'],
  push: ['cpu', 'address', 'bytes'],
  read: ['cpu', 'address', 'bytes'],
  'msr-write': ['cpu', 'index', 'name', 'value'],
  fault: ['cpu', 'fault', 'errorCode', 'during', 'rip'],
  return: ['cpu', 'mnemonic', 'rip', 'rsp', 'cpl'],
  shutdown: ['cpu', 'during'],
  dispatch: ['cpu', 'routine'],
  log: ['cpu', 'text'],
}

interface Pattern {
  readonly type: string
  readonly fields: readonly { readonly name: string; readonly written: unknown; readonly number: bigint | undefined }[]
}

/** `trace: [{ type: stack-switch, why: IST2 }, { type: return }]`: entries in this order, with others in between. */
export const TRACE = expectationVerb({
  summary: 'entries of the trace in this order: type, and any fields of it',
  schema: z.array(z.looseObject({ type: text })).min(1),
  bind(written, context) {
    const patterns = written.map((entry, i) => patternOf(entry, i, context))
    return {
      trace: true,
      verdict(run): Verdict {
        const met = inOrder(patterns, run.trace, fits)
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

function patternOf(
  { type, ...fields }: { type: string; [field: string]: unknown },
  i: number,
  context: VerbContext,
): Pattern {
  context.oneOf(type, Object.keys(FIELDS), 'trace types', [i, 'type'])
  const known = FIELDS[type as TraceType]
  return {
    type,
    fields: Object.entries(fields).map(([name, value]) => {
      context.oneOf(name, known, 'fields', [i, name], 'key')
      return { name, written: value, number: numberOf(value, context) }
    }),
  }
}

/** The number that a value stands for; undefined for text that is no label. */
function numberOf(value: unknown, { labels, address }: VerbContext): bigint | undefined {
  if (typeof value === 'boolean' || value === null) return undefined
  try {
    const quantity = parseQuantity(value)
    return quantity.every(({ value: term }) => typeof term === 'bigint' || labels.has(term))
      ? address(quantity)
      : undefined
  } catch (error) {
    if (error instanceof QuantityError) return undefined
    throw error
  }
}

function fits({ type, fields }: Pattern, entry: TraceEntry): boolean {
  if (entry.type !== type) return false
  return fields.every(({ name, written, number }) => {
    const value = (entry as unknown as Record<string, unknown>)[name]
    if (typeof value === 'bigint' || typeof value === 'number') return number !== undefined && BigInt(value) === number
    return value === written
  })
}

const patternText = ({ type, fields }: Pattern): string =>
  fields.length === 0
    ? type
    : `${type} with ${fields.map(({ name, written }) => `${name} ${describe(written)}`).join(', ')}`
