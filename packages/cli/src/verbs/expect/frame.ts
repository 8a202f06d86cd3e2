import {
  EXTERNAL_INTERRUPT,
  HARDWARE_EXCEPTION,
  NMI,
  OTHER_EVENT,
  PRIVILEGED_SOFTWARE_EXCEPTION,
  SOFTWARE_EXCEPTION,
  SOFTWARE_INTERRUPT,
} from '@trapframe/core'
import { z } from 'zod'
import { plural } from '../../report/plural.js'
import { integer, quantity, text } from '../../scenario/schema.js'
import type { Delivery } from '../../session/delivery.js'
import { hex } from '../../session/symbols.js'
import { canonicalEventName, EVENT_NAMES } from '../event-names.js'
import { expectationVerb, type VerbContext } from '../slots.js'

const TYPES: Readonly<Record<string, number>> = {
  'external-interrupt': EXTERNAL_INTERRUPT,
  nmi: NMI,
  'hardware-exception': HARDWARE_EXCEPTION,
  'software-interrupt': SOFTWARE_INTERRUPT,
  'privileged-software-exception': PRIVILEGED_SOFTWARE_EXCEPTION,
  'software-exception': SOFTWARE_EXCEPTION,
  other: OTHER_EVENT,
}

const typeName = (type: number): string => Object.keys(TYPES).find((name) => TYPES[name] === type) ?? String(type)

/** Bits of a frame that only some mechanisms have. */
const FLAGS = ['waitForEndbranch', 'stiBlocking', 'softwareEvent', 'nmi', 'enclave', 'mode64'] as const

const SCHEMA = z
  .strictObject({
    nth: integer(1, 1_000_000).describe('only the n-th delivery to the CPU counts').optional(),
    event: text.describe('the event, as the manual names it').optional(),
    type: z.enum(Object.keys(TYPES)).describe('the type of the event').optional(),
    vector: integer(0, 255).optional(),
    nested: z.boolean().describe('it was met while another event was delivered').optional(),
    errorCode: quantity.describe('the one in the frame').optional(),
    bytes: integer(1, 4096).describe('size of the frame').optional(),
    address: quantity.describe('lowest byte of the frame').optional(),
    on: text.describe('the region or area that it lies in').optional(),
    ist: integer(0, 7).describe('the IST stack that was taken, 0 for none; under the IDT only').optional(),
    stackLevel: integer(0, 3).describe('the level that the event was delivered on').optional(),
    from: z.strictObject({ cpl: integer(0, 3).optional(), stackLevel: integer(0, 3).optional() }).optional(),
    rip: quantity.describe('what it saves').optional(),
    cs: quantity.optional(),
    rflags: quantity.optional(),
    rsp: quantity.optional(),
    ss: quantity.optional(),
    ...Object.fromEntries(FLAGS.map((name) => [name, z.boolean().optional()])),
    length: integer(0, 15).describe('FRED only: length of the instruction').optional(),
    eventData: quantity.describe('FRED only: the address of #PF and the like').optional(),
  })
  .refine((frame) => Object.keys(frame).length > 0, { message: 'this frame may be any frame: say what it must have' })

type FrameSpec = z.output<typeof SCHEMA>

/** One thing that a frame must have. */
interface Feature {
  readonly name: string
  readonly wanted: string
  /** What a delivery has instead. */
  actual(delivery: Delivery): string
  holds(delivery: Delivery): boolean
}

/** `frame: { event: NMI, stackLevel: 0, from: { cpl: 0 } }`: some delivery of the run has all of it. */
export const FRAME = expectationVerb<FrameSpec>({
  summary: 'an event was delivered with such a frame',
  schema: SCHEMA,
  bind(spec, context) {
    const features = [...featuresOf(spec, context)]
    const which = spec.nth === undefined ? 'a frame' : `frame ${spec.nth}`
    const expected = `${which} with ${features.map(({ name, wanted }) => `${name} ${wanted}`).join(', ')}`
    return {
      verdict(run) {
        const own = run.deliveries.filter(({ cpu }) => cpu === context.cpu.id)
        const candidates = spec.nth === undefined ? own : own.slice(spec.nth - 1, spec.nth)
        const found = candidates.find((delivery) => features.every((feature) => feature.holds(delivery)))
        if (found !== undefined) return { holds: true, expected, actual: name(found) }
        return { holds: false, expected, actual: closest(candidates, features, own.length) }
      },
    }
  },
})

/** The candidate that comes nearest, and what it has instead. */
function closest(candidates: readonly Delivery[], features: readonly Feature[], delivered: number): string {
  const missed = (delivery: Delivery): Feature[] => features.filter((feature) => !feature.holds(delivery))
  const [nearest] = [...candidates].sort((a, b) => missed(a).length - missed(b).length)
  if (nearest === undefined) return delivered === 0 ? 'no event was delivered' : `only ${plural(delivered, 'frame')}`
  return `${name(nearest)} has ${missed(nearest)
    .map((feature) => `${feature.name} ${feature.actual(nearest)}`)
    .join(', ')}`
}

const name = ({ event, number, step }: Delivery): string => `the ${event} frame (delivery ${number}, step ${step})`

function* featuresOf(spec: FrameSpec, context: VerbContext): Generator<Feature> {
  const feature = <T>(
    label: string,
    wanted: T,
    read: (delivery: Delivery) => T | null | undefined,
    show = String as (value: T) => string,
  ): Feature => ({
    name: label,
    wanted: show(wanted),
    holds: (delivery) => read(delivery) === wanted,
    actual: (delivery) => {
      const value = read(delivery)
      return value === null || value === undefined ? 'none' : show(value)
    },
  })
  const number = (
    key: keyof FrameSpec & string,
    read: (delivery: Delivery) => bigint | null | undefined,
  ): Feature | undefined =>
    spec[key] === undefined ? undefined : feature(key, context.address(spec[key] as never, [key]), read, hex)

  if (spec.event !== undefined) yield feature('event', eventNamed(spec.event, context), ({ event }) => event)
  if (spec.type !== undefined) yield feature('type', spec.type, ({ type }) => typeName(type))
  if (spec.vector !== undefined) yield feature('vector', spec.vector, ({ vector }) => vector)
  if (spec.nested !== undefined) yield feature('nested', spec.nested, ({ nested }) => nested)
  if (spec.bytes !== undefined) yield feature('bytes', spec.bytes, ({ frame }) => frame.bytes)
  if (spec.on !== undefined) {
    yield feature('on', context.oneOf(spec.on, regionNames(context), 'regions', ['on']), ({ frame }) => frame.region)
  }
  if (spec.ist !== undefined) yield feature('ist', spec.ist, istOf)
  if (spec.stackLevel !== undefined) yield feature('stackLevel', spec.stackLevel, ({ to }) => to.stackLevel)
  if (spec.from?.cpl !== undefined) yield feature('from CPL', spec.from.cpl, ({ from }) => from.cpl)
  if (spec.from?.stackLevel !== undefined) {
    yield feature('from stackLevel', spec.from.stackLevel, ({ from }) => from.stackLevel)
  }
  for (const flag of FLAGS) {
    const wanted = (spec as Readonly<Record<string, unknown>>)[flag]
    if (wanted === undefined) continue
    yield feature(flag, wanted, ({ frame }) => frame.fields?.[flag])
  }
  if (spec.length !== undefined) yield feature('length', spec.length, ({ frame }) => frame.fields?.length as number)
  const numbers = [
    number('eventData', ({ frame }) => frame.fields?.eventData),
    number('errorCode', ({ frame }) => (frame.fields?.errorCode === undefined ? null : BigInt(frame.fields.errorCode))),
    number('address', ({ frame }) => frame.address),
    number('rip', ({ frame }) => frame.fields?.rip),
    number('cs', ({ frame }) => (frame.fields ? BigInt(frame.fields.cs) : null)),
    number('rflags', ({ frame }) => frame.fields?.rflags),
    number('rsp', ({ frame }) => frame.fields?.rsp),
    number('ss', ({ frame }) => (frame.fields ? BigInt(frame.fields.ss) : null)),
  ]
  for (const one of numbers) if (one !== undefined) yield one
}

/** Index of the IST stack that a delivery took; 0 where it took none and IST exists. */
function istOf({ stack, to }: Delivery): number | null {
  const index = /^IST([1-7])$/.exec(stack ?? '')?.[1]
  if (index !== undefined) return Number(index)
  return to.stackLevel === null ? 0 : null
}

function eventNamed(written: string, context: VerbContext): string {
  return canonicalEventName(written) ?? context.oneOf(written, EVENT_NAMES, 'events', ['event'])
}

/** Everything that a frame can lie on: stack regions of all CPUs, areas. */
function regionNames({ machine, boot, cpu }: VerbContext): string[] {
  const regions = machine.cpus.flatMap((one) =>
    boot.stackMap(one).regions.map((region) => (one === cpu ? region.name : `CPU ${one.id} ${region.name}`)),
  )
  return [...new Set([...regions, ...Object.keys(boot.areas)])]
}
