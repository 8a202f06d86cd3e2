import { type Cpu, eventName, type Writer } from '@trapframe/core'
import { z } from 'zod'
import { text } from '../../scenario/schema.js'
import { hex } from '../../session/symbols.js'
import { canonicalEventName, EVENT_NAMES } from '../event-names.js'
import { type Check, expectationVerb, type VerbContext } from '../slots.js'
import { fitsPattern, patternText, TRACE_PATTERN, tracePattern } from '../trace-pattern.js'

const WRITERS = ['delivery', 'software'] as const satisfies readonly Writer[]

const SCHEMA = z
  .strictObject({
    write: text.describe('an area or a stack region that nobody writes to').optional(),
    by: z.enum(WRITERS).describe('with "write": who does not').optional(),
    event: text.describe('an event that is not delivered').optional(),
    log: text.describe('a text that no line of the log contains').optional(),
    trace: TRACE_PATTERN.describe('an entry that the trace does not have').optional(),
  })
  .refine((one) => [one.write, one.event, one.log, one.trace].filter((part) => part !== undefined).length === 1, {
    message: '"never" needs one of "write", "event", "log" and "trace"',
  })
  .refine(({ write, by }) => by === undefined || write !== undefined, { message: '"by" goes with "write"' })

/** `never: { write: guest, by: delivery }`, `never: { event: "#DF" }`. */
export const NEVER = expectationVerb({
  summary: 'something that does not happen: write (an area or stack region, by whom), event, log, trace',
  schema: SCHEMA,
  bind({ write, by, event, log, trace }, context) {
    if (write !== undefined) return neverWritten(write, by, context)
    if (log !== undefined) return neverLogged(log)
    return trace === undefined ? neverEvent(event!, context) : neverTraced(trace, context)
  },
})

function neverWritten(name: string, by: Writer | undefined, { boot, cpu, machine, oneOf }: VerbContext): Check {
  const regions = boot.stackMap(cpu).regions
  oneOf(name, [...Object.keys(boot.areas), ...regions.map((region) => region.name)], 'areas', ['write'])
  const parts = boot.areas[name] ?? regions.filter((region) => region.name === name)
  let first: string | undefined
  let during = ''
  const stored = (writer: Cpu, lo: number, hi: number, bytes: number, who: Writer): void => {
    if (first !== undefined || (by !== undefined && by !== who)) return
    const address = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
    const end = address + BigInt(bytes)
    if (!parts.some((part) => address < part.address + BigInt(part.bytes) && end > part.address)) return
    const whose = machine.cpus.length > 1 ? ` of CPU ${writer.id}` : ''
    first = `${who === 'delivery' ? `the delivery of ${during}` : 'software'}${whose} wrote ${bytes} bytes at ${hex(address)}`
  }
  return {
    observer: {
      delivering: (_cpu, event) => {
        during = eventName(event)
      },
      stored,
    },
    verdict: () => ({
      holds: first === undefined,
      expected: `${name} memory never written${by === undefined ? '' : ` by ${by}`}`,
      actual: first ?? 'never written',
    }),
  }
}

function neverEvent(written: string, context: VerbContext): Check {
  const name = canonicalEventName(written) ?? context.oneOf(written, EVENT_NAMES, 'events', ['event'])
  return {
    verdict(run) {
      const met = run.deliveries.find(
        ({ event, cpu }) => event === name && (!context.cpuGiven || cpu === context.cpu.id),
      )
      return {
        holds: met === undefined,
        expected: `no ${name}`,
        actual: met === undefined ? 'none' : `${name} at step ${met.step}, from ${run.nameOf(met.from.rip)}`,
      }
    },
  }
}

function neverLogged(part: string): Check {
  return {
    verdict({ log }) {
      const line = log.find((one) => one.includes(part))
      return {
        holds: line === undefined,
        expected: `no ${JSON.stringify(part)} in the log`,
        actual: line ?? 'no such line',
      }
    },
  }
}

function neverTraced(written: z.output<typeof TRACE_PATTERN>, context: VerbContext): Check {
  const pattern = tracePattern(written, ['trace'], context)
  return {
    trace: true,
    verdict({ trace }) {
      const met = trace.filter((entry) => fitsPattern(pattern, entry)).length
      return { holds: met === 0, expected: `no ${patternText(pattern)}`, actual: met === 0 ? 'none' : `${met} of them` }
    },
  }
}
