import { defineSlot, type Slot } from '@trapframe/core'
import type { EventFacts, Field } from './facts.js'

/** One fatal event that a kernel reported. */
export interface PanicReport {
  /** Who reported it: `Linux`, `Xen`. */
  readonly reporter: string
  /** What it printed, without timestamps and other prefixes. */
  readonly line: string
  readonly facts: EventFacts
  /** What the line says beyond the event itself. */
  readonly fields?: readonly Field[]
}

/** A reader of one kernel's last words. */
export interface PanicDecoder {
  /** One sentence for listings: whose, and which lines. */
  readonly summary: string
  /**
   * The reports in a log, in order; none if it is not this kernel's. Timestamps, log levels and the prefixes of consoles
   * are gone; a report may run over several lines.
   */
  decode(log: string): PanicReport[]
}

/** Where plugins add decoders. */
export const PANIC_DECODERS: Slot<PanicDecoder> = defineSlot('cli/panic-decoders', 'all')

/** What logs put before a line: timestamps, syslog's date, host and tag, log levels, `(XEN)`, a serial console's mark. */
const PREFIX =
  /^(?:\s*(?:<\d>|\[\s*\d+\.\d+\](?:\[[^\]]*\])?|\(XEN\)|\(d\d+\)|\w{3} +\d+ [\d:]{8} \S+ kernel:|\d{4}-\d\d-\d\dT\S+|\S+ kernel:|kernel:))+\s?/

/** Prefixes are looked for in the beginning of a line: in the whole of a long one the search would take forever. */
const LONGEST_PREFIX = 500

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what it looks for
const COLOURS = /\u001b\[[0-9;]*m/g

/** A log without what was put before its lines, and without colours. */
export function withoutPrefixes(log: string): string {
  return log
    .replace(COLOURS, '')
    .split(/\r?\n/)
    .map((line) => line.slice(0, LONGEST_PREFIX).replace(PREFIX, '') + line.slice(LONGEST_PREFIX))
    .join('\n')
}
