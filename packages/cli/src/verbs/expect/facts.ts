import { z } from 'zod'
import { describe } from '../../scenario/issues.js'
import { text } from '../../scenario/schema.js'
import { expectationVerb, type Verdict } from '../slots.js'

const VALUE = z.union([z.string(), z.bigint(), z.boolean()])

/** `facts: { pv32: false }`: what the host reports of itself, at the end. */
export const FACTS = expectationVerb({
  summary:
    'what the host reports of itself at the end, by its own names (`trapframe boot --json` lists them); a.b is b inside of a',
  schema: z.record(text, VALUE),
  bind(wanted, { boot, cpu, oneOf, wrong }) {
    const { facts } = boot
    if (facts === undefined) return wrong('this host reports no facts of itself')
    const known = facts(cpu)
    for (const name of Object.keys(wanted)) oneOf(name.split('.')[0]!, Object.keys(known), 'facts', [name], 'key')
    return {
      verdict(): Verdict {
        const now = facts(cpu)
        const seen = Object.entries(wanted).map(([name, value]) => ({ name, value, found: look(now, name) }))
        const wrongs = seen.filter(({ value, found }) => !equal(value, found))
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

function equal(wanted: string | bigint | boolean, found: unknown): boolean {
  return typeof found === 'number' && Number.isInteger(found) ? BigInt(found) === wanted : found === wanted
}
