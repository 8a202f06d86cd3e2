import { type Cpu, eventName, type Writer } from '@trapframe/core'
import { z } from 'zod'
import { text } from '../../scenario/schema.js'
import { hex } from '../../session/symbols.js'
import { canonicalEventName, EVENT_NAMES } from '../event-names.js'
import { type Check, expectationVerb, type VerbContext } from '../slots.js'

const WRITERS = ['delivery', 'software'] as const satisfies readonly Writer[]

const SCHEMA = z
  .strictObject({ write: text.optional(), by: z.enum(WRITERS).optional(), event: text.optional() })
  .refine(({ write, event }) => (write === undefined) !== (event === undefined), {
    message: '"never" needs either "write" or "event"',
  })
  .refine(({ write, by }) => by === undefined || write !== undefined, { message: '"by" goes with "write"' })

/** `never: { write: guest, by: delivery }`, `never: { event: "#DF" }`. */
export const NEVER = expectationVerb({
  summary: 'something that does not happen: write (an area or stack region, by whom), event',
  schema: SCHEMA,
  bind({ write, by, event }, context) {
    return write === undefined ? neverEvent(event!, context) : neverWritten(write, by, context)
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
