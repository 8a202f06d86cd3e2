import type { Machine } from '@trapframe/core'
import { z } from 'zod'
import { EXPECTATIONS, INJECTIONS, SETUPS } from '../verbs/slots.js'
import { EXPLORE } from './explore-section.js'
import { FILE, INJECTION, MACHINE, MODIFIERS, START } from './grammar.js'
import { SHARED } from './schema.js'

/** A JSON Schema, draft 7: what editors understand. */
export type JsonSchema = { [key: string]: unknown }

/** What several places of the schema share. */
const DEFINITIONS: Readonly<Record<string, JsonSchema>> = {
  axis: {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: that is how scenarios write it
    description: 'a value of the matrix: ${axis}',
    type: 'string',
    pattern: '^\\$\\{[^}]*\\}$',
  },
  quantity: {
    description: 'a whole number, the name of a label, or a sum of those: 0x7fff_0000, handler+8, stack_end - 0x40',
    anyOf: [{ type: 'integer' }, { type: 'string', minLength: 1 }],
  },
  condition: {
    description: 'axes with the values that are meant, one or a list',
    type: 'object',
    additionalProperties: {
      anyOf: [
        { type: ['string', 'number', 'boolean'] },
        { type: 'array', items: { type: ['string', 'number', 'boolean'] }, minItems: 1 },
      ],
    },
  },
}

/**
 * The JSON Schema of scenarios, from the definitions that check them: the grammar, and the verbs of every plugin of the
 * machine. It lets pass what only a machine can judge: whether a label exists, or a register.
 */
export function scenarioSchema(machine: Machine): JsonSchema {
  const file = jsonSchema(FILE, false)
  const properties = file.properties as Record<string, JsonSchema>
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A trapframe scenario',
    ...file,
    properties: {
      ...properties,
      machine: described(jsonSchema(MACHINE, true), properties.machine),
      start: described(jsonSchema(START, true), properties.start),
      setup: described(clauses(machine.contributions(SETUPS)), properties.setup),
      inject: described(injections(machine.contributions(INJECTIONS)), properties.inject),
      expect: described(clauses(machine.contributions(EXPECTATIONS)), properties.expect),
      explore: described(jsonSchema(EXPLORE, true), properties.explore),
    },
    definitions: DEFINITIONS,
  }
}

type Verbs = readonly {
  readonly name: string
  readonly value: { readonly summary: string; readonly schema: z.ZodType }
}[]

/** A list whose entries have verbs beside `when`, `unless` and `cpu`. */
function clauses(verbs: Verbs): JsonSchema {
  const modifiers = jsonSchema(z.strictObject(MODIFIERS), true).properties as Record<string, JsonSchema>
  const entries = verbs.map(({ name, value }) => [
    name,
    described(jsonSchema(value.schema, true), { description: value.summary }),
  ])
  return {
    type: 'array',
    items: {
      type: 'object',
      properties: { ...Object.fromEntries(entries), ...modifiers },
      additionalProperties: false,
      // beside its modifiers an entry has a verb
      anyOf: verbs.map(({ name }) => ({ required: [name] })),
    },
  }
}

/** A list whose entries have the keys of their event. */
function injections(verbs: Verbs): JsonSchema {
  const common = jsonSchema(INJECTION, true).properties as Record<string, JsonSchema>
  const entry = (event: JsonSchema, own: JsonSchema): JsonSchema => ({
    type: 'object',
    properties: { ...common, ...(own.properties as object), event },
    required: ['event', 'at', ...((own.required as string[] | undefined) ?? [])],
    additionalProperties: false,
  })
  const known = verbs.map(({ name, value }) =>
    entry({ description: value.summary, const: name }, jsonSchema(value.schema, true)),
  )
  const any = Object.assign({}, ...known.map(({ properties }) => properties as object)) as Record<string, JsonSchema>
  const filled = entry(reference('axis', 'an event of the matrix'), { properties: any })
  return { type: 'array', items: { anyOf: [...known, filled] } }
}

/** One schema as JSON. `filled`: an axis of the matrix may stand in the place of any value. */
function jsonSchema(schema: z.ZodType, filled: boolean): JsonSchema {
  const made = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: json }) => {
      const { def } = zodSchema._zod
      if (def.type === 'bigint') Object.assign(json, integerOf(zodSchema as z.core.$ZodBigInt))
    },
  })
  const { $schema: _version, ...rest } = made as JsonSchema
  return finish(rest, filled) as JsonSchema
}

function integerOf(schema: z.core.$ZodBigInt): JsonSchema {
  const bounds = (schema._zod.def.checks ?? []).map((check) => {
    const { check: kind, value } = check._zod.def as { check: string; value?: unknown }
    return [kind === 'greater_than' ? 'minimum' : 'maximum', Number(value)] as const
  })
  return { type: 'integer', ...Object.fromEntries(bounds) }
}

/** Names what is shared, lets axes stand for values, and leaves out what only zod knows. */
function finish(node: unknown, filled: boolean): unknown {
  if (Array.isArray(node)) return node.map((one) => finish(one, filled))
  if (typeof node !== 'object' || node === null) return node
  const { [SHARED]: shared, ...json } = node as JsonSchema
  const description = json.description as string | undefined
  if (typeof shared === 'string') return reference(shared, description)
  const inner: JsonSchema = Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      key,
      key === 'properties' ? properties(value, filled) : finish(value, filled),
    ]),
  )
  if (!filled || !isStrict(inner)) return inner
  const { description: words, default: preset, ...bare } = inner
  return {
    ...(words === undefined ? {} : { description: words }),
    ...(preset === undefined ? {} : { default: preset }),
    anyOf: [bare, { $ref: '#/definitions/axis' }],
  }
}

const properties = (value: unknown, filled: boolean): JsonSchema =>
  Object.fromEntries(Object.entries(value as JsonSchema).map(([key, one]) => [key, finish(one, filled)]))

/** A schema of single values that refuses the text `${axis}`. */
function isStrict({ type, enum: values, const: only, pattern }: JsonSchema): boolean {
  return (
    type === 'integer' ||
    type === 'number' ||
    type === 'boolean' ||
    values !== undefined ||
    only !== undefined ||
    (type === 'string' && pattern !== undefined)
  )
}

/** Draft 7 overlooks what stands beside a reference. */
function reference(name: string, description?: string): JsonSchema {
  const $ref = `#/definitions/${name}`
  return description === undefined ? { $ref } : { description, allOf: [{ $ref }] }
}

function described(schema: JsonSchema, from: JsonSchema | undefined): JsonSchema {
  const { description, ...rest } = schema
  const words = from?.description ?? description
  return words === undefined ? rest : { description: words, ...rest }
}
