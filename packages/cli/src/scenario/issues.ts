import { z } from 'zod'
import { suggestion } from '../command/suggest.js'
import { LIMITS } from './limits.js'
import type { Path } from './place.js'

/** A mistake in data: where, what, and what to do about it. `at` says whether the key or the value is meant. */
export interface Problem {
  readonly path: Path
  readonly at: 'key' | 'value'
  readonly message: string
  readonly hint?: string | undefined
}

/** The value, or what is wrong with it. */
export type Checked<Value> =
  | { readonly value: Value; readonly problems?: undefined }
  | { readonly value?: undefined; readonly problems: readonly Problem[] }

type Issue = z.core.$ZodIssue

/** Checks data against a schema, and tells what is wrong in the words of the grammar rather than of the schema. */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  data: unknown,
  path: Path = [],
): Checked<z.output<Schema>> {
  const result = schema.safeParse(data)
  if (result.success) return { value: result.data }
  const { issues } = result.error
  return {
    problems: issues.filter((issue) => !isEcho(issue, issues)).flatMap((issue) => explain(issue, schema, data, path)),
  }
}

/** What an object as a whole lacks may only be misspelt: the unknown key says enough. */
function isEcho({ code, path }: Issue, all: readonly Issue[]): boolean {
  return code === 'custom' && all.some((one) => one.code === 'unrecognized_keys' && one.path.join() === path.join())
}

function explain(issue: Issue, schema: z.ZodType, data: unknown, above: Path): Problem[] {
  const inside = issue.path as Path
  const path = [...above, ...inside]
  const value = valueAt(data, inside)
  const name = String([...path].reverse().find((step) => typeof step === 'string') ?? 'the file')
  const problem = (message: string, hint?: string, at: Problem['at'] = 'value'): Problem[] => [
    { path, at, message, hint },
  ]
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = keysAt(schema, inside)
      return issue.keys.slice(0, LIMITS.mistakes).map((key) => ({
        path: [...path, key],
        at: 'key' as const,
        message: `unknown key "${key}"`,
        hint: suggestion(key, known, 'keys'),
      }))
    }
    case 'invalid_type':
      if (value === undefined) {
        return [{ path: path.slice(0, -1), at: 'key', message: `"${name}" is missing${within(path)}` }]
      }
      if (issue.expected === 'bigint') return problem(`${describe(value)} is not a number`)
      return problem(
        `"${name}" must be ${TYPES[issue.expected] ?? issue.expected}, not ${describe(value)}`,
        keysHint(keysAt(schema, inside)),
      )
    case 'invalid_value': {
      const values = issue.values.map(String)
      return problem(`"${name}" cannot be ${describe(value)}`, suggestion(String(value), values, 'possible'))
    }
    case 'too_small':
    case 'too_big':
      return problem(...outOfRange(issue, name, value))
    case 'invalid_union':
      return explainUnion(issue, schema, data, above)
    case 'custom':
      return problem(issue.message, issue.params?.hint as string | undefined)
    default:
      return problem(`"${name}" is wrong: ${issue.message}`)
  }
}

/** Of the ways in which a union can be meant, the mistakes of the one that the data comes nearest to. */
function explainUnion(
  issue: Issue & { code: 'invalid_union' },
  schema: z.ZodType,
  data: unknown,
  above: Path,
): Problem[] {
  const inside = issue.path as Path
  const value = valueAt(data, inside)
  const options = issue.errors.map((issues) =>
    issues.map((one) => ({ ...one, path: [...inside, ...one.path] }) as Issue),
  )
  const fits = (issues: readonly Issue[]): boolean =>
    !issues.some((one) => one.path.length === inside.length && isOfAnotherKind(one, value))
  const nearest = options.find(fits)
  if (nearest !== undefined) return nearest.flatMap((one) => explain(one, schema, data, above))
  const name = String([...above, ...inside].reverse().find((step) => typeof step === 'string') ?? 'the file')
  return [{ path: [...above, ...inside], at: 'value', message: `"${name}" cannot be ${describe(value)}` }]
}

/** Whether what an option of a union wants cannot be meant by the value: keys for a text, a word for a list. */
function isOfAnotherKind(issue: Issue, value: unknown): boolean {
  if (issue.code === 'invalid_value') return !issue.values.some((one) => typeof one === typeof value)
  return issue.code === 'invalid_type'
}

const keysHint = (keys: readonly string[]): string | undefined =>
  keys.length === 0 ? undefined : `keys: ${keys.join(', ')}`

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  array: 'a list',
  object: 'keys with values',
  record: 'keys with values',
  boolean: 'true or false',
}

function outOfRange(issue: Issue & { code: 'too_small' | 'too_big' }, name: string, value: unknown): [string, string?] {
  if (issue.origin === 'array') return [`"${name}" must not be empty`]
  if (issue.origin === 'string') return [`"${name}" must not be empty`]
  const least = issue.code === 'too_small'
  return [
    `${value} is too ${least ? 'small' : 'large'} for "${name}"`,
    `${least ? 'least' : 'most'}: ${least ? issue.minimum : issue.maximum}`,
  ]
}

/** `text`, `a list`, `"two"`: what stands there, in few words. */
export function describe(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'keys with values'
  return typeof value === 'string' ? `"${value.length > 40 ? `${value.slice(0, 40)}…` : value}"` : String(value)
}

const within = (path: Path): string => {
  const parent = [...path.slice(0, -1)].reverse().find((step) => typeof step === 'string')
  return parent === undefined ? '' : ` in "${parent}"`
}

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (here, step) => (here as Record<string | number, unknown> | null | undefined)?.[step],
    data,
  )
}

/** The keys that the object at a path may have. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  const here = path.reduce<z.ZodType | undefined>(inside, schema)
  const object = here === undefined ? undefined : objects(here)[0]
  return object === undefined ? [] : Object.keys(object.shape)
}

function inside(schema: z.ZodType | undefined, step: string | number): z.ZodType | undefined {
  for (const option of schema === undefined ? [] : unwrap(schema)) {
    if (option instanceof z.ZodObject && typeof step === 'string' && step in option.shape) return option.shape[step]
    if (option instanceof z.ZodArray && typeof step === 'number') return option.element as z.ZodType
    if (option instanceof z.ZodRecord) return option.valueType as z.ZodType
  }
  return undefined
}

const objects = (schema: z.ZodType): z.ZodObject[] => unwrap(schema).filter((option) => option instanceof z.ZodObject)

/** A schema without its wrappers: the ways in which a value can be read. */
function unwrap(schema: z.ZodType): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return unwrap(schema.unwrap() as z.ZodType)
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.ZodType)
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => unwrap(option as z.ZodType))
  return [schema]
}
