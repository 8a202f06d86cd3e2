import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { defineConfig } from './config.js'
import { findConfig } from './find-config.js'
import { configPlugins, loadConfig } from './load-config.js'

const SCENARIO = 'name: Counting\nguest: |\n  rdseed eax\nexpect: [{ registers: { rax: 7 } }]\n'

/** A plugin whose RDSEED gives what its option says. */
const PLUGIN = `export default ({ value = 7 } = {}) => ({ name: 'seven', setup(host) {
  host.instructions.define({ mnemonic: 'rdseed', execute: (cpu) => cpu.setGpr(0, BigInt(value)) })
} })\n`

describe('the nearest config, from the working folder upwards', () => {
  test('a folder is searched in the order of the names', async () => {
    const folder = folderWith({ 'trapframe.config.json': '{}', 'trapframe.config.ts': 'export default {}' })
    mkdirSync(join(folder, 'a/b'), { recursive: true })
    expect(await findConfig(join(folder, 'a/b'))).toBe(join(folder, 'trapframe.config.ts'))
    writeFileSync(join(folder, 'a/trapframe.config.mjs'), 'export default {}')
    expect(await findConfig(join(folder, 'a/b'))).toBe(join(folder, 'a/trapframe.config.mjs'))
  })
})

describe('what a config says', () => {
  test.each([
    [
      'trapframe.config.ts',
      `const value: number = 7\nexport default { plugins: [['./seven.mjs', { value }]] } as const\n`,
    ],
    ['trapframe.config.mts', `import seven from './seven.mjs'\nexport default { plugins: [seven({ value: 7 })] }\n`],
    ['trapframe.config.mjs', `export default { plugins: ['./seven.mjs'] }\n`],
    ['trapframe.config.js', `module.exports = { plugins: ['./seven.mjs'] }\n`],
    ['trapframe.config.json', `{\n\t"plugins": [["./seven.mjs", { "value": 7 }]],\n\t"files": ["x.yaml"]\n}\n`],
  ])('%s loads a plugin by path, with options, or as it is', async (name, text) => {
    const folder = folderWith({ [name]: text, 'seven.mjs': PLUGIN, 'x.yaml': SCENARIO })
    const { out, err, code } = await trapframe('run', join(folder, 'x.yaml'), '--config', join(folder, name))
    expect(err).toBe('')
    expect(out).toContain('1 scenario, 1 cell: 1 passed')
    expect(code).toBe(0)
  })

  test('options reach the plugin', async () => {
    const json = '{ "plugins": [["./seven.mjs", { "value": 8 }]] }'
    const folder = folderWith({ 'trapframe.config.json': json, 'seven.mjs': PLUGIN, 'x.yaml': SCENARIO })
    const { code } = await trapframe('run', join(folder, 'x.yaml'), '--config', join(folder, 'trapframe.config.json'))
    expect(code).toBe(1)
  })

  test('default files, reporter and workers; the command line goes before them', async () => {
    const config = `import { defineConfig } from '@trapframe/cli'
export default defineConfig({ files: ['*.yaml'], reporter: 'tap', workers: 1, limits: { steps: 5, seconds: 60 } })\n`
    const loop = 'name: Loop\nguest: |\n  a: jmp a\nlimits: { steps: 100 }\nexpect: [{ outcome: running }]\n'
    const folder = folderWith({
      'trapframe.config.json': '',
      'c.mjs': config.replace(/^.*\n/, '').replace('defineConfig', ''),
      'loop.yaml': loop,
    })
    const given = ['--config', join(folder, 'c.mjs')]
    const { out } = await trapframe('run', ...given)
    expect(out).toMatch(/^TAP version 14\n/)
    const pretty = await trapframe('run', join(folder, 'loop.yaml'), '--reporter', 'pretty', ...given)
    expect(pretty.out, 'of 100 steps the config allows 5').toContain('running after 5 steps')
  })

  test('a scenario may load plugins where the config allows it', async () => {
    const own = `${SCENARIO}machine: { plugins: [./seven.mjs] }\n`
    const allow = '{ "allowPlugins": true }'
    const folder = folderWith({ 'trapframe.config.json': allow, 'seven.mjs': PLUGIN, 'x.yaml': own })
    const config = join(folder, 'trapframe.config.json')
    expect((await trapframe('run', join(folder, 'x.yaml'))).code).toBe(2)
    expect((await trapframe('run', join(folder, 'x.yaml'), '--config', config)).code).toBe(0)
  })

  test('defineConfig gives back what it is given', () => {
    expect(defineConfig({ workers: 2 })).toEqual({ workers: 2 })
  })
})

/** What is wrong, where, and what is said under it. */
// biome-ignore format: a table reads by its rows
const MISTAKES: readonly (readonly [what: string, file: string, text: string, at: string, message: string, hint?: string])[] = [
  ['a misspelt key', 'ts', 'export default {\n  files: [],\n  plugin: [],\n}\n', '3:3', 'unknown key "plugin"', 'did you mean "plugins"?'],
  ['a misspelt key of limits', 'mjs', 'export default { limits: { step: 3 } }\n', '1:28', 'unknown key "step"', 'did you mean "steps"?'],
  ['a wrong type', 'ts', "const c: unknown = {\n  workers: 'two' }\nexport default c\n", '2:12', '"two" is not a number'],
  ['too many workers', 'json', '{\n  "workers": 1000\n}', '2:14', '1000 is too large for "workers"', 'most: 256'],
  ['a text for a switch', 'json', '{ "allowPlugins": "yes" }', '1:19', '"allowPlugins" must be true or false, not "yes"'],
  ['no plugin', 'mjs', 'export default {\n  plugins: [\n    "a",\n    { nane: 1 },\n  ],\n}\n', '4:5', 'this is no plugin', 'write its package, its path, [package, options], or the plugin itself'],
  ['a plugin that is not there', 'mjs', 'export default { plugins: ["./a.mjs"] }\n', '1:28', 'plugin "./a.mjs" was not found', 'looked for in'],
  ['a plugin without options', 'mjs', 'export default { plugins: [["./plain.mjs", { a: 1 }]] }\n', '1:28', '"./plain.mjs" takes no options', 'it has no function named "plugin"'],
  ['no default export', 'ts', 'export const config = {}\n', '1:1', 'this config has no default export', 'write "export default defineConfig({ … })"'],
  ['a syntax error', 'ts', 'const a: number = 1\nexport default { files: [1, 2 }\n', '2:31', 'this cannot be parsed: unexpected token, expected ","'],
  ['a syntax error of plain JavaScript', 'mjs', 'export default { files: [1, 2 }\n', '1:31', 'this cannot be parsed: unexpected token'],
  ['a syntax error of JSON', 'json', '{\n  "files": [\n}', '3:1', 'this is no YAML'],
  ['code that fails', 'ts', "interface A { a: 1 }\nconst fail = () => {\n  throw new TypeError('no luck')\n}\nexport default { files: fail() }\n", '3:9', 'this fails when it is executed: TypeError: no luck'],
  ['an import that is not there', 'ts', "import { a } from './nothing.js'\nexport default { a }\n", '1:20', '"./nothing.js" was not found', 'paths are relative to this file'],
  ['a package that is not there', 'mjs', "import a from 'no-such-package'\nexport default { a }\n", '1:16', '"no-such-package" was not found', 'is it installed? npm install no-such-package'],
]

describe('a mistake in a config is one message with its place, exit code 2, no stack trace', () => {
  test.each(MISTAKES.map((row) => ({ what: `${row[0]} (${row[1]})`, row })))('$what', async ({ row }) => {
    const [, ending, text, at, message, hint] = row
    const name = `trapframe.config.${ending}`
    const folder = folderWith({
      [name]: text,
      'plain.mjs': "export const p = { name: 'p', setup() {} }\n",
      'x.yaml': SCENARIO,
    })
    const { out, err, code } = await trapframe('run', join(folder, 'x.yaml'), '--config', join(folder, name))
    expect(err.split('\n')[0]).toContain(`${name}:${at}  ${message}`)
    const [line, column] = at.split(':').map(Number) as [number, number]
    const written = text.split('\n')[line - 1]!
    expect(err).toContain(
      ` >${String(line).padStart(3)} │ ${written.replaceAll('\t', '  ')}\n      │ ${' '.repeat(column - 1)}^`,
    )
    if (hint !== undefined) expect(err).toContain(hint)
    expect(err).not.toMatch(/\bat \S+ \(|internal error|jiti/)
    expect(out).toBe('')
    expect(code).toBe(2)
  })
})

test('a config is read anew each time', async () => {
  const folder = folderWith({ 'c.ts': 'export default { workers: 1 }' })
  expect((await loadConfig(join(folder, 'c.ts'))).settings.workers).toBe(1)
  writeFileSync(join(folder, 'c.ts'), 'export default { workers: 2, plugins: [] }')
  const again = await loadConfig(join(folder, 'c.ts'))
  expect(again.settings.workers).toBe(2)
  expect(await configPlugins(again)).toEqual([])
})
