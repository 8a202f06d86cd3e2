import { z } from 'zod'
import { describe } from '../../scenario/issues.js'
import { quantity, text } from '../../scenario/schema.js'
import { expectationVerb, type Verdict } from '../slots.js'

const VALUE = z.union([z.string(), z.bigint(), z.boolean()])

/** `facts: { pv32: false }`: what the host reports of itself, at the end. A number may be written as a label. */
export const FACTS = expectationVerb({
  summary:
    'what the host reports of itself at the end, by its own names (`trapframe boot --json` lists them); a.b is b inside of a',
  schema: z.record(text, VALUE),
  bind(wanted, { boot, cpu, labels, address, oneOf, wrong }) {
    const { facts } = boot
    if (facts === undefined) return wrong('this host reports no facts of itself')
    const known = facts(cpu)
    for (const name of Object.keys(wanted)) oneOf(name.split('.')[0]!, Object.keys(known), 'facts', [name], 'key')
    const addresses = new Map<string, bigint>()
    for (const [name, value] of Object.entries(wanted)) {
      if (typeof value !== 'string' || !labels.has(/^[\w.$]*/.exec(value)![0])) continue
      const sum = quantity.safeParse(value)
      if (sum.success) addresses.set(name, address(sum.data, [name]))
    }
    return {
      verdict(): Verdict {
        const now = facts(cpu)
        const seen = Object.entries(wanted).map(([name, value]) => ({ name, value, found: look(now, name) }))
        const wrongs = seen.filter(({ name, value, found }) => !equal(value, found, addresses.get(name)))
        return {
          holds: wrongs.length === 0,
          expected: seen.map(({ name, value }) => `${name} ${describe(value)}`).join(', '),
          actual: (wrongs.length === 0 ? seen : wrongs)
            .map(({ name, found }) => `${name} ${found === undefined ? 'is not there' : describe(found)}`)
            .join(', '),
        }
      },
    }
  },
})

function look(facts: unknown, name: string): unknown {
  return name.split('.').reduce<unknown>((here, step) => {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined
    return (here as Readonly<Record<string, unknown>>)[step]
  }, facts)
}

/** `address` is what the text stands for where it is a label, or a sum with one: facts have addresses as numbers. */
function equal(wanted: string | bigint | boolean, found: unknown, address: bigint | undefined): boolean {
  if (typeof found === 'bigint' && address !== undefined) return found === address
  return typeof found === 'number' && Number.isInteger(found) ? BigInt(found) === wanted : found === wanted
}
