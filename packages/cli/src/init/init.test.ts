import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { pluginTemplate, TOOLS } from './plugin-template.js'
import { installedVersions } from './versions.js'

/** An empty folder that commands run in. */
function inFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = folderWith(files)
  const before = process.cwd()
  process.chdir(folder)
  onTestFinished(() => process.chdir(before))
  return folder
}

// The first command loads everything that there is.
beforeAll(() => import('./init-scenario.js'), 60_000)

describe('trapframe init scenario', () => {
  test.each([
    ['xen', 2],
    ['flat-idt', 1],
    ['flat-fred', 1],
  ])('on %s it writes a scenario that passes at once', async (host, cells) => {
    inFolder()
    const made = await trapframe('init', 'scenario', 'cases/my-case', '--host', host)
    expect(made).toEqual({ code: 0, out: 'cases/my-case.yaml\n\n  trapframe run cases/my-case.yaml\n', err: '' })
    const { code, out } = await trapframe('run', 'cases/my-case.yaml')
    expect(out).toContain(`${cells} passed, 0 failed`)
    expect(code).toBe(0)
  })

  test('its first line names the schema of the nearest installation', async () => {
    inFolder()
    await trapframe('init', 'scenario', 'cases/my-case.yaml')
    expect(readFileSync('cases/my-case.yaml', 'utf8').split('\n').slice(0, 2)).toEqual([
      '# yaml-language-server: $schema=../node_modules/@trapframe/cli/schema/scenario.schema.json',
      'name: "my case"',
    ])
  })

  test('what is there stays, unless --force is given', async () => {
    inFolder({ 'x.yaml': 'mine' })
    const { code, err } = await trapframe('init', 'scenario', 'x')
    expect([code, err]).toEqual([2, 'error: x.yaml is there already\n  nothing was written; --force writes over it\n'])
    expect(readFileSync('x.yaml', 'utf8')).toBe('mine')
    expect((await trapframe('init', 'scenario', 'x', '--force')).code).toBe(0)
    expect(readFileSync('x.yaml', 'utf8')).toContain('name: "x"')
  })

  test.each([
    [['init', 'scenario', 'x', '--host', 'xem'], 'error: there is no host "xem"\n  did you mean "xen"?\n'],
    [['init', 'scenario', 'x', '--cpu', 'panther-lak'], 'error: unknown CPU "panther-lak"\n'],
    [['init', 'plugni', 'x'], 'error: "init" makes no "plugni"\n  did you mean "plugin"?\n'],
    [
      ['init', 'scenario'],
      'error: "init" needs scenario|plugin NAME\n  for example: trapframe init scenario my-case\n',
    ],
    [['init', 'plugin', 'Acme Random'], 'error: "Acme Random" is no name for a package\n'],
    [['init', 'plugin', '../x'], 'error: "../x" is no name for a package\n'],
  ])('%j is refused, and nothing is written', async (words, message) => {
    const folder = inFolder()
    const { code, err } = await trapframe(...words)
    expect(err).toContain(message)
    expect(code).toBe(2)
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('trapframe init plugin', () => {
  test('a package in a folder of its name, and what to do next', async () => {
    const folder = inFolder()
    const { code, out } = await trapframe('init', 'plugin', '@acme/random-numbers')
    expect(code).toBe(0)
    expect(out).toContain('  cd random-numbers\n  npm install\n  npm run build\n  npm test\n')
    const manifest = JSON.parse(readFileSync(join(folder, 'random-numbers/package.json'), 'utf8'))
    const { core } = installedVersions()
    expect(manifest).toMatchObject({
      name: '@acme/random-numbers',
      type: 'module',
      peerDependencies: { '@trapframe/core': `>=${core} <1.0.0` },
      devDependencies: { '@trapframe/core': `^${core}` },
    })
    const source = readFileSync(join(folder, 'random-numbers/src/index.ts'), 'utf8')
    expect(source).toContain('export function randomNumbers(')
    expect(source).toContain('RANDOM_NUMBERS_SEED = 0x4000_1000')
    expect(existsSync(join(folder, 'random-numbers/scenarios/random-numbers.yaml'))).toBe(true)
  })

  test('one file that is there, and none is written', async () => {
    const folder = inFolder({ 'package.json': '{}' })
    const { code, err } = await trapframe('init', 'plugin', 'acme', '--dir', '.')
    expect([code, err.split('\n')[0]]).toEqual([2, 'error: package.json is there already'])
    expect(readdirSync(folder)).toEqual(['package.json'])
  })

  test('its tools are those of the repository', () => {
    const root = JSON.parse(readFileSync(fileURLToPath(new URL('../../../../package.json', import.meta.url)), 'utf8'))
    const { typescript, vitest } = root.devDependencies
    expect(TOOLS).toEqual({ typescript, vitest })
    expect(Object.keys(pluginTemplate('acme', installedVersions()))).toContain('src/index.ts')
  })
})
