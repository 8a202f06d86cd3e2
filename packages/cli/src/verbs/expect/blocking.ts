import {
  type Cpu,
  EXTERNAL_INTERRUPT,
  eventName,
  PENDING_INTERRUPTS,
  PENDING_MACHINE_CHECK,
  PENDING_NMI,
  PENDING_TRAP,
  STATUS,
} from '@trapframe/core'
import { z } from 'zod'
import { text } from '../../scenario/schema.js'
import { BLOCKED, BLOCKING_SCHEMA } from '../blocking.js'
import { canonicalEventName, EVENT_NAMES } from '../event-names.js'
import { expectationVerb, type Verdict } from '../slots.js'

/** `blocking: nmi`, `blocking: []`: exactly this. */
export const BLOCKING = expectationVerb({
  summary: 'what holds events back at the end, no more and no less: nmi, sti, mov-ss',
  schema: BLOCKING_SCHEMA,
  bind: (wanted, { cpu }) => ({
    verdict() {
      const now = Object.entries(BLOCKED).filter(([, bit]) => (cpu.words[STATUS]! & bit) !== 0)
      return same(
        'blocking',
        wanted,
        now.map(([name]) => name),
      )
    },
  }),
})

/** `pending: NMI`, `pending: []`: exactly these events wait. */
export const PENDING = expectationVerb({
  summary: 'the events that wait to be delivered at the end, no more and no less: NMI, #MC, #DB, interrupt 0x20',
  schema: z.union([text.transform((one) => [one]), z.array(text)]),
  bind(written, context) {
    const wanted = written.map((name, i) => canonicalEventName(name) ?? context.oneOf(name, EVENT_NAMES, 'events', [i]))
    return { verdict: () => same('pending', wanted, pendingEvents(context.cpu)) }
  },
})

/** The events that wait, blocked or not. */
function pendingEvents({ words }: Cpu): string[] {
  const status = words[STATUS]!
  const events: string[] = []
  if ((status & PENDING_MACHINE_CHECK) !== 0) events.push('#MC')
  if ((status & PENDING_TRAP) !== 0) events.push('#DB')
  if ((status & PENDING_NMI) !== 0) events.push('NMI')
  for (let vector = 0; vector < 256; vector++) {
    if ((words[PENDING_INTERRUPTS + (vector >>> 5)]! & (1 << (vector & 31))) === 0) continue
    events.push(eventName({ type: EXTERNAL_INTERRUPT, vector }))
  }
  return events
}

function same(what: string, wanted: readonly string[], now: readonly string[]): Verdict {
  const list = (names: readonly string[]): string => (names.length === 0 ? 'nothing' : names.join(', '))
  return {
    holds: wanted.length === now.length && wanted.every((name) => now.includes(name)),
    expected: `${what} at the end: ${list(wanted)}`,
    actual: list(now),
  }
}
