import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { examineNode } from './surroundings.js'

/** A folder with files in folders, which commands run in. */
function inFolder(files: Readonly<Record<string, string>>): string {
  const folder = folderWith({})
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const before = process.cwd()
  process.chdir(folder)
  onTestFinished(() => process.chdir(before))
  return folder
}

interface Finding {
  readonly what: string
  readonly health: string
  readonly message: string
  readonly hint?: string
}

async function doctor(...words: string[]): Promise<{ code: number; sound: boolean; findings: Finding[] }> {
  const { code, out, err } = await trapframe('doctor', '--json', ...words)
  expect(err).toBe('')
  return { code, ...JSON.parse(out) }
}

const of = (findings: readonly Finding[], what: string): Finding[] => findings.filter((one) => one.what === what)

const PLUGIN = "export const acme = { name: 'acme', setup() {} }\n"
const SCENARIO = 'name: x\nguest: nop\n'

// The first command loads everything that there is.
beforeAll(() => import('./print-doctor.js'), 60_000)

describe('trapframe doctor', () => {
  test('where all is well, says so with exit code 0', async () => {
    inFolder({})
    const { code, out } = await trapframe('doctor')
    expect(out).toMatch(/^✓ Node\.js +v\d+/)
    expect(out).toMatch(/\n✓ core +one copy, \d/)
    expect(out).toMatch(/\n· config +none/)
    expect(out).toMatch(/\nall is well\n$/)
    expect(code).toBe(0)
  })

  test('the config, its plugins and its schema', async () => {
    inFolder({
      'trapframe.config.json': '{ "plugins": ["./acme.mjs"], "files": ["cases"] }',
      'acme.mjs': PLUGIN,
      'cases/x.yaml': `# yaml-language-server: $schema=../schema.json\n${SCENARIO}`,
      'schema.json': (await trapframe('schema')).out,
    })
    const { code, findings } = await doctor()
    expect(of(findings, 'config')).toEqual([{ what: 'config', health: 'good', message: 'trapframe.config.json' }])
    expect(of(findings, 'plugins')).toMatchObject([{ message: 'acme, from ./acme.mjs (trapframe.config.json)' }])
    expect(of(findings, 'schema')).toEqual([{ what: 'schema', health: 'good', message: 'schema.json is up to date' }])
    expect(code).toBe(0)
  })

  test('a schema of another version, and one that is not there', async () => {
    inFolder({
      'trapframe.config.json': '{ "files": ["cases"] }',
      'cases/x.yaml': `# yaml-language-server: $schema=../schema.json\n${SCENARIO}`,
      'cases/y.yaml': `# yaml-language-server: $schema=./none.json\n${SCENARIO}`,
      'schema.json': '{}',
    })
    const { code, findings } = await doctor()
    expect(of(findings, 'schema')).toEqual([
      {
        what: 'schema',
        health: 'bad',
        message: 'schema.json is of another version',
        hint: 'trapframe schema > schema.json, with --plugin for each plugin',
      },
      {
        what: 'schema',
        health: 'bad',
        message: 'cases/y.yaml names ./none.json, and there is none',
        hint: 'trapframe schema > cases/none.json',
      },
    ])
    expect(code).toBe(1)
  })

  test('two copies of core: whose, where, and what to do', async () => {
    const folder = inFolder({
      'acme/dist/index.mjs': PLUGIN,
      'acme/node_modules/@trapframe/core/package.json': '{ "name": "@trapframe/core", "version": "9.8.7" }',
    })
    const { code, findings } = await doctor('--plugin', './acme/dist/index.mjs')
    const [core] = of(findings, 'core')
    expect(core).toMatchObject({ health: 'bad', hint: expect.stringContaining('peerDependencies') })
    expect(core!.message).toContain('there are several copies of @trapframe/core: trapframe uses ')
    expect(core!.message).toContain('plugin ./acme/dist/index.mjs uses 9.8.7 in ')
    expect(core!.message).toContain(join(folder, 'acme/node_modules/@trapframe/core').slice(-40))
    expect(code).toBe(1)
  })

  test('mistakes in the config and in plugins are findings, all of them, with their places', async () => {
    inFolder({ 'trapframe.config.json': '{ "plugins": ["./nothing.mjs"] }' })
    const { code, findings } = await doctor()
    expect(of(findings, 'plugins')).toEqual([
      {
        what: 'plugins',
        health: 'bad',
        message: 'trapframe.config.json:1:15  plugin "./nothing.mjs" was not found',
        hint: expect.stringContaining('looked for in'),
      },
    ])
    expect(of(findings, 'terminal')).toHaveLength(1)
    expect(code).toBe(1)
    inFolder({ 'trapframe.config.json': '{ "plugin": [] }' })
    expect(of((await doctor()).findings, 'config')).toMatchObject([
      { health: 'bad', message: 'trapframe.config.json:1:3  unknown key "plugin"' },
    ])
  })

  test('a plugin that clashes', async () => {
    inFolder({ 'acme.mjs': "export const acme = { name: 'isa', setup() {} }\n" })
    const { code, findings } = await doctor('--plugin', './acme.mjs')
    expect(of(findings, 'plugins')).toMatchObject([
      { health: 'bad', message: expect.stringContaining('plugin "isa" is loaded twice') },
    ])
    expect(code).toBe(1)
  })

  test('a Node.js that is too old', () => {
    const own = { folder: '/', manifest: { name: 'x', version: '1.0.0', engines: { node: '>=20.19' } } }
    expect(examineNode(own, 'v20.18.1')).toMatchObject({
      health: 'bad',
      message: 'v20.18.1 is too old: >=20.19 is needed',
    })
    expect(examineNode(own, 'v22.1.0').health).toBe('good')
  })
})
