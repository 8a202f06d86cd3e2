import { EXTERNAL_INTERRUPT, eventName, SOFTWARE_INTERRUPT, vectorName } from '@trapframe/core'

/** Event names without a number in them. */
const PLAIN = [
  ...Array.from({ length: 32 }, (_, vector) => vectorName(vector)).filter((name) => !name.startsWith('vector')),
  'INT1',
  'INT3',
  'INTO',
  'SYSCALL',
  'SYSENTER',
]

/** What an event name may look like, for hints. */
export const EVENT_NAMES: readonly string[] = [...new Set(PLAIN), 'INT 0x80', 'interrupt 0x20']

/**
 * The event's name as reports and the trace spell it, from how a scenario may: `#PF`, `pf`, `nmi`, `int 0x80`,
 * `interrupt 32`; undefined for what names no event.
 */
export function canonicalEventName(written: string): string | undefined {
  const wanted = written.trim().toLowerCase()
  const plain = PLAIN.find((name) => name.toLowerCase().replace('#', '') === wanted.replace('#', ''))
  if (plain !== undefined) return plain
  const [, kind, digits] = /^(int|interrupt)\s+(0x[0-9a-f]+|[0-9]+)$/.exec(wanted) ?? []
  const vector = Number(digits)
  if (kind === undefined || !(vector >= 0 && vector < 256)) return undefined
  return eventName({ type: kind === 'int' ? SOFTWARE_INTERRUPT : EXTERNAL_INTERRUPT, vector })
}
