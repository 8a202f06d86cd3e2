// Writes packages/cli/schema/scenario.schema.json, which is what `trapframe schema` prints, and docs/reference/scenario-language.md
// from it. `--check` writes nothing and fails if a file is not what it would write. Works on the built packages: run
// `pnpm build` first.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { generatedPage } from './generated-page.mjs'

const AGAIN = 'pnpm build, then pnpm schema'
const TYPES = {
  string: 'text',
  boolean: 'true or false',
  number: 'number',
  integer: 'whole number',
  object: 'names with values',
  array: 'list',
}
const PATH = 'packages/cli/schema/scenario.schema.json'

const text = printed()
const schema = JSON.parse(text)
mkdirSync('packages/cli/schema', { recursive: true })
generatedPage(PATH, text, AGAIN)
generatedPage('docs/reference/scenario-language.md', page(), AGAIN)

function printed() {
  const { stdout, stderr, status } = spawnSync('node', ['packages/cli/dist/bin.js', 'schema'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`trapframe schema ended with ${status}: ${stderr}`)
  return stdout
}

function page() {
  const { properties } = schema
  return `<!-- Written by .ci/schema.mjs from ${PATH}; edit the definitions in packages/cli/src. -->

# The scenario language: reference

Every key of a scenario, from the definitions that check it. [scenarios.md](../scenarios.md) explains them with examples.

The same as a JSON Schema, for completion in editors: \`scenario.schema.json\` of \`@trapframe/cli\`. The first line of a scenario says
where it lies, and \`trapframe schema --plugin MODULE\` prints one with the words of plugins:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/@trapframe/cli/schema/scenario.schema.json
\`\`\`

An *axis* is \`\${axis}\`, which takes the cell's value; in \`machine\`, \`start\`, \`setup\`, \`inject\` and \`expect\` it may stand for any single value.
A *quantity* is ${schema.definitions.quantity.description}. A *condition*: ${schema.definitions.condition.description}.

## The file

${table(Object.entries(properties), schema.required)}

## machine

${table(Object.entries(properties.machine.properties), properties.machine.required)}

## A program that is an ELF image

${table(Object.entries(image().properties), image().required)}

## setup

${verbs(properties.setup)}

## inject

${injections()}

## at

${table(Object.entries(at().properties), [])}

## expect

${verbs(properties.expect)}
`
}

/** The form of a program that names an image. */
function image() {
  return schema.properties.guest.anyOf.find((one) => one.type === 'object')
}

function at() {
  return schema.properties.inject.items.anyOf[0].properties.at
}

function verbs({ items }) {
  const entries = Object.entries(items.properties)
  const chapters = entries.flatMap(([name, one]) => {
    const inner = objectOf(one)
    return inner
      ? [`### ${name}\n\n${one.description}.\n\n${table(Object.entries(inner.properties), inner.required)}`]
      : []
  })
  return [table(entries, []), ...chapters].join('\n\n')
}

function injections() {
  const known = schema.properties.inject.items.anyOf.filter((one) => one.properties.event.const !== undefined)
  const lines = known.map(({ properties, required }) => {
    const { event, at: _at, when: _when, unless: _unless, ...own } = properties
    const keys = Object.entries(own).map(
      ([name, one]) => `\`${name}\`: ${wordsFor(one)}${required.includes(name) ? '' : ', optional'}`,
    )
    return [`\`${event.const}\``, keys.join('; '), event.description ?? '']
  })
  return grid(['event', 'also', 'meaning'], lines)
}

/** The object with keys that a value can be, or the items of the list that it can be. */
function objectOf(one) {
  if (one.properties) return one
  if (one.items) return objectOf(one.items)
  return (one.anyOf ?? []).map(objectOf).find((found) => found !== undefined)
}

function table(entries, required = []) {
  const lines = entries.map(([name, one]) => [
    `\`${name}\``,
    wordsFor(one) +
      (required.includes(name) ? ', required' : '') +
      (one.default === undefined || typeof one.default === 'object' ? '' : `, default \`${one.default}\``),
    one.description ?? '',
  ])
  return grid(['key', 'value', 'meaning'], lines)
}

function grid(heads, lines) {
  const row = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [row(heads), row(heads.map(() => '---')), ...lines.map(row)].join('\n')
}

/** What may stand there, in words. */
function wordsFor(one) {
  if (one.$ref) return one.$ref.split('/').at(-1)
  if (one.allOf) return wordsFor(one.allOf[0])
  const forms = one.anyOf ?? one.oneOf
  if (forms && !one.properties)
    return [...new Set(forms.filter(({ $ref }) => $ref !== '#/definitions/axis').map(wordsFor))].join(' or ')
  if (one.const !== undefined) return `\`${one.const}\``
  if (one.enum) return one.enum.map((value) => `\`${value}\``).join(', ')
  if (Array.isArray(one.type))
    return one.type
      .filter((type) => type !== 'integer' || !one.type.includes('number'))
      .map((type) => TYPES[type])
      .join(' or ')
  if (one.type === 'integer') {
    return one.maximum === undefined ? 'whole number' : `${one.minimum ?? 0} to ${one.maximum}`
  }
  if (one.type === 'array') return `list of ${wordsFor(one.items ?? {})}`
  if (one.type === 'object' && one.properties)
    return `\`{ ${Object.keys(one.properties).slice(0, 4).join(', ')}${Object.keys(one.properties).length > 4 ? ', …' : ''} }\``
  if (one.type === 'object') return `names: ${one.additionalProperties ? wordsFor(one.additionalProperties) : 'values'}`
  return TYPES[one.type] ?? 'anything'
}
