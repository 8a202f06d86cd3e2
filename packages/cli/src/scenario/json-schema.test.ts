import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMachine, definePlugin } from '@trapframe/core'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { trapframe } from '../../test/command-line.js'
import { officialPlugins } from '../session/plugins.js'
import { EXPECTATIONS, expectationVerb, INJECTIONS, injectionVerb } from '../verbs/slots.js'
import { scenarioSchema } from './json-schema.js'
import { integer } from './schema.js'

const repository = new URL('../../../../', import.meta.url).pathname

const counting = definePlugin({
  name: 'counting',
  setup(host) {
    const verb = expectationVerb({
      summary: 'how often the CPU changed stacks',
      schema: integer(0, 1000),
      bind: () => ({ verdict: () => ({ holds: true, expected: '', actual: '' }) }),
    })
    host.add(EXPECTATIONS, 'stackSwitches', verb)
    const event = injectionVerb({
      summary: 'a glitch',
      schema: z.strictObject({ volts: integer(1, 9) }),
      describe: () => 'glitch',
      inject: () => {},
    })
    host.add(INJECTIONS, 'glitch', event)
  },
})

const schemaWith = () => scenarioSchema(createMachine({ cpu: 'panther-lake', plugins: [...officialPlugins()] }))
const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true, strictRequired: false })
const validate = ajv.compile(schemaWith())

function valid(text: string, check = validate): boolean {
  return check(parseDocument(text).toJS())
}

function* yamlFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules') continue
    if (entry.isDirectory()) yield* yamlFiles(join(folder, entry.name))
    else if (entry.name.endsWith('.yaml')) yield join(folder, entry.name)
  }
}

describe('the JSON Schema of scenarios', () => {
  test.each([...yamlFiles(join(repository, 'scenarios'))].map((file) => file.slice(repository.length)))(
    'takes %s',
    (file) => {
      expect(valid(readFileSync(join(repository, file), 'utf8')), ajv.errorsText(validate.errors)).toBe(true)
    },
  )

  test.each([
    ['no name', 'guest: nop'],
    ['a misspelt key', 'name: x\ninjects: []'],
    ['an unknown expectation', 'name: x\nexpect: [{ outcom: done }]'],
    ['an unknown outcome', 'name: x\nexpect: [{ outcome: don }]'],
    ['an expectation of nothing', 'name: x\nexpect: [{ cpu: 1 }]'],
    ['an unknown key of a frame', 'name: x\nexpect: [{ frame: { typ: nmi } }]'],
    ['an unknown event', 'name: x\ninject: [{ event: nim, at: { step: 1 } }]'],
    ['a vector out of range', 'name: x\ninject: [{ event: interrupt, vector: 256, at: { step: 1 } }]'],
    ['a key of another event', 'name: x\ninject: [{ event: nmi, vector: 3, at: { step: 1 } }]'],
    ['no moment', 'name: x\ninject: [{ event: nmi }]'],
    ['too many steps', 'name: x\nlimits: { steps: 9999999 }'],
    ['an image without a file', 'name: x\nguest: { entry: main }'],
    ['no CPU', 'name: x\nmachine: { cpus: 0 }'],
  ])('refuses %s', (_what, text) => {
    expect(valid(text)).toBe(false)
  })

  test('takes an axis of the matrix in the place of a value', () => {
    const axis = `"$\{a}"`
    const text = `name: x\nmatrix: { a: [1] }\nmachine: { cpus: ${axis} }\ninject: [{ event: ${axis}, at: { step: ${axis} } }]\nexpect: [{ outcome: ${axis}, cpl: ${axis}, frame: { nested: ${axis} } }]\n`
    expect(valid(text), ajv.errorsText(validate.errors)).toBe(true)
  })

  test('has words of plugins, with their descriptions', () => {
    const schema = scenarioSchema(createMachine({ cpu: 'panther-lake', plugins: [...officialPlugins(), counting] }))
    const check = new Ajv({ strict: true, allowUnionTypes: true, strictRequired: false }).compile(schema)
    expect(
      valid('name: x\nexpect: [{ stackSwitches: 3 }]\ninject: [{ event: glitch, volts: 3, at: { step: 1 } }]', check),
    ).toBe(true)
    expect(valid('name: x\nexpect: [{ stackSwitches: 1001 }]', check)).toBe(false)
    expect(valid('name: x\nexpect: [{ stackSwitches: 3 }]')).toBe(false)
    expect(JSON.stringify(schema)).toContain('how often the CPU changed stacks')
  })

  test('is what the package ships', () => {
    const shipped = readFileSync(join(repository, 'packages/cli/schema/scenario.schema.json'), 'utf8')
    expect(JSON.parse(shipped)).toEqual(JSON.parse(JSON.stringify(schemaWith())))
  })

  test('trapframe schema prints it', async () => {
    const { code, out } = await trapframe('schema')
    expect(code).toBe(0)
    expect(Object.keys(JSON.parse(out).properties.expect.items.properties)).toContain('snapshot')
  })
})
