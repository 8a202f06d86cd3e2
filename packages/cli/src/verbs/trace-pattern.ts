import type { TraceEntry, TraceEvents, TraceType } from '@trapframe/core'
import { z } from 'zod'
import { describe } from '../scenario/issues.js'
import type { Path } from '../scenario/place.js'
import { parseQuantity, QuantityError } from '../scenario/quantity.js'
import { text } from '../scenario/schema.js'
import type { VerbContext } from './slots.js'

/** What entries of a trace have, by type. */
const FIELDS: { readonly [T in TraceType]: readonly (keyof TraceEvents[T] & string)[] } = {
  instruction: ['cpu', 'rip', 'text', 'cpl'],
  event: ['cpu', 'event', 'eventType', 'vector', 'errorCode', 'nested', 'mechanism', 'rip', 'rsp', 'cpl'],
  'stack-switch': ['cpu', 'from', 'to', 'why'],
  push: ['cpu', 'address', 'bytes'],
  read: ['cpu', 'address', 'bytes'],
  'msr-write': ['cpu', 'index', 'name', 'value'],
  ipi: ['cpu', 'stage', 'from', 'what'],
  fault: ['cpu', 'fault', 'errorCode', 'during', 'rip'],
  return: ['cpu', 'mnemonic', 'rip', 'rsp', 'cpl'],
  shutdown: ['cpu', 'during'],
  dispatch: ['cpu', 'routine'],
  log: ['cpu', 'text'],
}

/** A pattern that is bound to a cell. */
export interface TracePattern {
  readonly type: string
  readonly fields: readonly { readonly name: string; readonly written: unknown; readonly number: bigint | undefined }[]
}

export const TRACE_PATTERN = z
  .looseObject({ type: text.describe('the kind of entry') })
  .describe('an entry of the trace: its type, and any of its fields')

/** Binds a pattern that stands at `path` of a verb's value. */
export function tracePattern(
  { type, ...fields }: z.output<typeof TRACE_PATTERN>,
  path: Path,
  context: VerbContext,
): TracePattern {
  context.oneOf(type, Object.keys(FIELDS), 'trace types', [...path, 'type'])
  const known = FIELDS[type as TraceType]
  return {
    type,
    fields: Object.entries(fields).map(([name, value]) => {
      context.oneOf(name, known, 'fields', [...path, name], 'key')
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

/** Whether an entry has all that a pattern says. */
export function fitsPattern({ type, fields }: TracePattern, entry: TraceEntry): boolean {
  if (entry.type !== type) return false
  return fields.every(({ name, written, number }) => {
    const value = (entry as unknown as Record<string, unknown>)[name]
    if (typeof value === 'bigint' || typeof value === 'number') return number !== undefined && BigInt(value) === number
    return value === written
  })
}

/** A pattern in words. */
export const patternText = ({ type, fields }: TracePattern): string =>
  fields.length === 0
    ? type
    : `${type} with ${fields.map(({ name, written }) => `${name} ${describe(written)}`).join(', ')}`
