import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { type FinalResults, Parser } from 'tap-parser'
import { afterAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const bin = join(root, 'packages/cli/dist/bin.js')

const folder = mkdtempSync(join(tmpdir(), 'trapframe-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { NO_COLOR: _no, FORCE_COLOR: _force, GITHUB_ACTIONS: _actions, ...environment } = process.env

function trapframe(words: readonly string[], cwd = root) {
  return spawnSync(process.execPath, [bin, ...words], { cwd, encoding: 'utf8', env: environment })
}

const scenario = (name: string, program: string, rax: number): string =>
  `name: ${name}\nguest: |\n  ${program}\nexpect: [{ registers: { rax: ${rax} } }]\n`

/** A folder of the test's own. */
function place(name: string, files: Readonly<Record<string, string>>): string {
  const here = join(folder, name)
  mkdirSync(here)
  for (const [file, text] of Object.entries(files)) writeFileSync(join(here, file), text)
  return here
}

describe('workers', () => {
  test('what is told does not depend on their number: every scenario of the repository, with TAP and JUnit', async () => {
    const one = trapframe([
      'run',
      'scenarios/',
      '--workers',
      '1',
      '--reporter',
      'tap',
      '--reporter',
      `junit=${folder}/1.xml`,
    ])
    const three = trapframe(['run', 'scenarios/', '--workers', '3', '--reporter', 'tap'])
    expect(three.stderr).toBe('')
    expect(three.stdout).toBe(one.stdout)
    expect(one.status).toBe(0)
    const results = await new Promise<FinalResults>((done) => new Parser({ strict: true }, done).end(one.stdout))
    expect(results).toMatchObject({ ok: true, fail: 0 })
    const xml = readFileSync(join(folder, '1.xml'), 'utf8')
    expect(XMLValidator.validate(xml)).toBe(true)
    const { testsuites } = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '' }).parse(xml)
    expect(testsuites).toMatchObject({ failures: '0', errors: '0' })
    expect(testsuites.testsuite).toHaveLength(results.count)
  })

  test('mistakes, failures and --bail are the same; plugins of the command line and of the config reach them', () => {
    const here = place('same', {
      'a.yaml': scenario('A', 'rdseed eax', 7),
      'b.yaml': scenario('B', 'syscal', 0),
      'c.yaml': scenario('C', 'mov rax, 1', 2),
      'd.yaml': scenario('D', 'xsave [rax]', 7),
      'seven.mjs': `export const seven = { name: 'seven', setup(host) {
        host.instructions.define({ mnemonic: 'rdseed', execute: (cpu) => cpu.setGpr(0, 7n) })
      } }\n`,
      'trapframe.config.ts': `import { defineConfig } from '@trapframe/cli'
import { seven } from './seven.mjs'
const files: string[] = ['*.yaml']
export default defineConfig({ files, plugins: [seven] })\n`,
    })
    for (const more of [[], ['--bail'], ['--json']]) {
      const one = trapframe(['run', '--workers', '1', ...more], here)
      const two = trapframe(['run', '--workers', '2', ...more], here)
      expect(two).toMatchObject({ status: 2, stdout: one.stdout, stderr: one.stderr })
      expect(one.stderr).toContain('there is no instruction "syscal"')
      expect(one.stdout).toContain(more[0] === '--json' ? '"name": "A"' : '✓ done after 1 step')
    }
  })

  test('Ctrl-C: what is known is told, and the code is 130', async () => {
    for (const workers of ['1', '2']) {
      const child = spawn(process.execPath, [bin, 'run', 'scenarios/', 'scenarios/xen/', '--workers', workers], {
        cwd: root,
        env: environment,
      })
      let out = ''
      let err = ''
      child.stdout.on('data', (chunk) => {
        if (out === '') child.kill('SIGINT')
        out += chunk
      })
      child.stderr.on('data', (chunk) => {
        err += chunk
      })
      const code = await new Promise((done) => child.on('close', done))
      expect(err).toBe('')
      expect(out).toMatch(/\n\d+ scenarios?, \d+ cells?: \d+ passed, 0 failed\ninterrupted: this is what is known\n$/)
      expect(code).toBe(130)
    }
  })
})

describe('the config of a folder', () => {
  test('is found from below; its mistakes are told without a stack', () => {
    const here = place('config', {
      'trapframe.config.ts': 'export default {\n  plugin: [],\n}\n',
      'x.yaml': scenario('X', 'nop', 0),
    })
    mkdirSync(join(here, 'below'))
    const { status, stderr } = trapframe(['run', '../x.yaml'], join(here, 'below'))
    expect(stderr).toBe(
      '../trapframe.config.ts:2:3  unknown key "plugin"\n    1 │ export default {\n >  2 │   plugin: [],\n      │   ^^^^^^ did you mean "plugins"?\n',
    )
    expect(status).toBe(2)
  })
})

describe('--watch', () => {
  test('runs again what changed, and all when a plugin did; SIGINT ends it with 130', async () => {
    const plugin = (value: number): string => `import { seven } from './value.mjs'
export const p = { name: 'seven', setup(host) {
  host.instructions.define({ mnemonic: 'rdseed', execute: (cpu) => cpu.setGpr(0, seven + ${value}n) })
} }\n`
    const here = place('watch', {
      'a.yaml': scenario('A', 'rdseed eax', 7),
      'b.yaml': scenario('B', 'mov rax, 1', 1),
      'p.mjs': plugin(0),
      'value.mjs': 'export const seven = 7n\n',
    })
    const child = spawn(process.execPath, [bin, 'run', '.', '--watch', '--plugin', './p.mjs'], {
      cwd: here,
      env: environment,
    })
    let out = ''
    let seen = 0
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      out += chunk
    })
    const next = async (wanted: string): Promise<string> => {
      for (let i = 0; i < 400; i++) {
        const more = out.slice(seen)
        if (/watching \d+ scenarios?/.test(more) && more.includes(wanted)) {
          seen = out.length
          return more
        }
        await new Promise((done) => setTimeout(done, 50))
      }
      throw new Error(`waited in vain for ${wanted}: ${out.slice(seen)}`)
    }
    expect(await next('2 scenarios, 2 cells: 2 passed')).toContain('watching 2 scenarios · Ctrl-C ends')
    expect(out).not.toContain('\u001b')
    writeFileSync(join(here, 'b.yaml'), scenario('B', 'mov rax, 1', 3))
    expect(await next('1 scenario, 1 cell: 0 passed, 1 failed')).not.toContain('A  ')
    writeFileSync(join(here, 'value.mjs'), 'export const seven = nothing\n')
    const broken = await next('plugin "./p.mjs" failed: nothing is not defined')
    expect(broken).not.toMatch(/internal error|\bat \S+ \(/)
    writeFileSync(join(here, 'value.mjs'), 'export const seven = 8n\n')
    await next('2 scenarios, 2 cells: 0 passed, 2 failed')
    writeFileSync(join(here, 'c.yaml'), scenario('C', 'mov rax, 1', 1))
    expect(await next('1 scenario, 1 cell: 1 passed')).toContain('watching 3 scenarios')
    child.kill('SIGINT')
    expect(await new Promise((done) => child.on('close', done))).toBe(130)
  })
})
