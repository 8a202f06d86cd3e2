import { decodeFrame, FRAME_BYTES } from '@trapframe/fred'
import { type Cause, likelyCauses } from './causes.js'
import { explainEvent } from './explain-event.js'
import { explainFrame, factsOf, oddities } from './explain-frame.js'
import type { Field } from './facts.js'
import { DecodeError, parseHexdump, type Reading } from './hexdump.js'
import { type PanicDecoder, withoutPrefixes } from './panic.js'

/** Something that was recognised, explained. */
export interface Finding {
  readonly kind: 'panic' | 'frame'
  /** Who reported it; `FRED frame` for bytes. */
  readonly reporter: string
  /** What was recognised, in one line. */
  readonly line: string
  readonly fields: readonly Field[]
  /** What no CPU leaves in a frame. */
  readonly oddities: readonly string[]
  /** The likely cause first; empty where nothing is known. */
  readonly causes: readonly Cause[]
}

/**
 * Explains a kernel's last words wherever they stand in a log, or else a hex dump of a FRED frame.
 *
 * @throws DecodeError for a text that is neither
 */
export function recognise(text: string, decoders: readonly PanicDecoder[]): Finding[] {
  const log = withoutPrefixes(text)
  const findings = decoders
    .flatMap((decoder) => decoder.decode(log))
    .map(
      ({ reporter, line, facts, fields = [] }): Finding => ({
        kind: 'panic',
        reporter,
        line,
        fields: [...explainEvent(facts), ...fields],
        oddities: [],
        causes: likelyCauses(facts, reporter),
      }),
    )
  return findings.length > 0 ? distinct(findings) : [frameFinding(log)]
}

/** A log often says the same twice: once printed, once as the reason of the panic. */
function distinct(findings: readonly Finding[]): Finding[] {
  return findings.filter((one, i) => findings.findIndex((other) => other.line === one.line) === i)
}

function frameFinding(text: string): Finding {
  const { bytes, numbers } = bestReading(parseHexdump(text))
  const frame = decodeFrame(bytes)
  return {
    kind: 'frame',
    reporter: 'FRED frame',
    line: numbers ? '64 bytes, read as little-endian numbers' : '64 bytes',
    fields: explainFrame(frame),
    oddities: oddities(frame),
    causes: likelyCauses(factsOf(frame), 'frame'),
  }
}

/** Of the readings that make 64 bytes the one that looks most like a frame. */
function bestReading(readings: readonly Reading[]): Reading {
  const fitting = readings.filter(({ bytes }) => bytes.length === FRAME_BYTES)
  if (fitting.length === 0) {
    const lengths = [...new Set(readings.map(({ bytes }) => bytes.length))].join(' or ')
    throw new DecodeError(
      `a FRED frame has ${FRAME_BYTES} bytes, and ${lengths} ${lengths === '1' ? 'is' : 'are'} here`,
      'give the 64 bytes from RSP at the entry point on: error code, RIP, CS, RFLAGS, RSP, SS, event data, 0',
    )
  }
  return fitting.reduce((best, one) => (strangeness(one) < strangeness(best) ? one : best))
}

const strangeness = ({ bytes }: Reading): number => oddities(decodeFrame(bytes)).length
