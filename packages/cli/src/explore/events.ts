import type { Machine } from '@trapframe/core'
import { EXPLORE_EVENTS, type ExploreEvent, interruptEvent, pageFaultEvent } from '@trapframe/explore'
import { suggestion } from '../command/suggest.js'
import { UsageError } from '../error/usage-error.js'
import { addressOf } from './places.js'

/** Events that need more than a name, by what stands before the colon. */
const FAMILIES: Readonly<
  Record<string, { readonly hint: string; of(rest: string, labels: ReadonlyMap<string, bigint>): ExploreEvent }>
> = {
  interrupt: {
    hint: 'interrupt:0x21',
    of(rest) {
      const vector = /^(0x[0-9a-f]+|[0-9]+)$/i.test(rest) ? Number(rest) : Number.NaN
      if (vector >= 0 && vector <= 255) return interruptEvent(vector)
      throw new UsageError(`"${rest}" is no vector of an interrupt`, '0 to 255: interrupt:0x21')
    },
  },
  pf: {
    hint: 'pf:LABEL',
    of: (rest, labels) => pageFaultEvent(addressOf(labels, rest, `pf:${rest}`)),
  },
}

/**
 * The events that a plan names: of the machine's plugins, or of a family: `interrupt:0x21`, `pf:guest_data+8`.
 *
 * @throws UsageError for one that is unknown, or given twice
 */
export function eventsOf(
  machine: Machine,
  labels: ReadonlyMap<string, bigint>,
  written: readonly string[],
): ExploreEvent[] {
  const events: ExploreEvent[] = []
  for (const text of written) {
    const event = eventOf(machine, labels, text)
    if (events.some(({ name }) => name === event.name)) throw new UsageError(`event "${text}" is there twice`)
    events.push(event)
  }
  return events
}

function eventOf(machine: Machine, labels: ReadonlyMap<string, bigint>, text: string): ExploreEvent {
  const plain = machine.contributions(EXPLORE_EVENTS)
  const found = plain.find(({ name }) => name === text)?.value
  if (found !== undefined) return found
  const colon = text.indexOf(':')
  const name = colon < 0 ? text : text.slice(0, colon)
  const family = Object.hasOwn(FAMILIES, name) ? FAMILIES[name] : undefined
  if (family !== undefined && colon >= 0) return family.of(text.slice(colon + 1).trim(), labels)
  if (family !== undefined) throw new UsageError(`event "${text}" needs more than its name`, `write ${family.hint}`)
  const known = [...plain.map((one) => one.name), ...Object.values(FAMILIES).map(({ hint }) => hint)]
  throw new UsageError(`unknown event "${text}"`, suggestion(text, known, 'events'))
}
