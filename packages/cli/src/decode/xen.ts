import { HARDWARE_EXCEPTION, VECTOR_DF } from '@trapframe/core'
import type { EventFacts, Field } from './facts.js'
import type { PanicDecoder, PanicReport } from './panic.js'

/** Under FRED: type and vector with their names, and an error code for exceptions. */
const UNDER_FRED =
  /FATAL TRAP:\s+type\s+(\d+),\s+\S+,\s+vec\s+(\d+),\s*[^\s[]*(?:\[([0-9a-f]+)\])?(\s+IN INTERRUPT CONTEXT)?/gi
/** Under the IDT: the vector with its name and error code. */
const UNDER_IDT = /FATAL TRAP:\s+vec\s+(\d+),\s*[^\s[]*\[([0-9a-f]+)\](\s+IN INTERRUPT CONTEXT)?/gi
/** The same up to Xen 4.12. */
const OLD =
  /FATAL TRAP:\s+vector\s*=\s*(\d+)\s+\([^)]*\)(?:\s*\[error_code=([0-9a-f]+)\])?(\s*,\s*IN INTERRUPT CONTEXT)?/gi
const DOUBLE_FAULT = /\*\*\* DOUBLE FAULT \*\*\*/g
/** The registers stand before the last words. */
const WHERE = /RIP:\s+([0-9a-f]{4}):\[<([0-9a-f]{16})>\]/gi

type Found = readonly [index: number, report: PanicReport]

/** Xen: fatal traps under either delivery, and double faults. */
export const XEN: PanicDecoder = {
  summary: 'Xen: fatal traps under either delivery, double faults',
  decode(log) {
    const places = [...log.matchAll(WHERE)]
    const report = (
      match: RegExpMatchArray,
      facts: Pick<EventFacts, 'type' | 'vector' | 'errorCode'>,
      context?: string,
    ): Found => {
      const index = match.index ?? 0
      const place = places.findLast((candidate) => candidate.index < index)
      const fields: Field[] =
        context === undefined
          ? []
          : [{ name: 'IF', value: '0', meaning: 'interrupts were off: Xen calls it interrupt context' }]
      return [
        index,
        {
          reporter: 'Xen',
          line: match[0].replace(/\s+/g, ' '),
          facts: {
            ...facts,
            eventData: null,
            cs: place === undefined ? null : Number.parseInt(place[1]!, 16),
            rip: place === undefined ? null : BigInt(`0x${place[2]}`),
          },
          fields,
        },
      ]
    }
    const code = (digits: string | undefined): bigint | null => (digits === undefined ? null : BigInt(`0x${digits}`))
    const found: Found[] = [
      ...[...log.matchAll(UNDER_FRED)].map((match) =>
        report(match, { type: Number(match[1]), vector: Number(match[2]), errorCode: code(match[3]) }, match[4]),
      ),
      ...[...log.matchAll(UNDER_IDT), ...log.matchAll(OLD)].map((match) =>
        report(match, { type: null, vector: Number(match[1]), errorCode: code(match[2]) }, match[3]),
      ),
      ...[...log.matchAll(DOUBLE_FAULT)].map((match) =>
        report(match, { type: HARDWARE_EXCEPTION, vector: VECTOR_DF, errorCode: null }),
      ),
    ]
    return found.sort(([a], [b]) => a - b).map(([, one]) => one)
  },
}
