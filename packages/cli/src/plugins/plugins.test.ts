import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'

const plugin = (name: string, setup: string, more = ''): string =>
  `export const ${name} = { name: '${name}', ${more} setup(host) { ${setup} } }\n`

// The first command loads everything that there is.
beforeAll(() => import('./print-plugins.js'), 60_000)

describe('trapframe plugins', () => {
  test('lists what each of trapframe’s own contributes', async () => {
    const { code, out } = await trapframe('plugins')
    expect(code).toBe(0)
    expect(out).toContain('fred  @trapframe/fred\n')
    expect(out).toMatch(/\n {2}hosts +flat-idt\n/)
    expect(out).toMatch(/\n {2}invariants +good-stack, /)
    expect(out).toMatch(/\n {2}reporters +pretty, jsonl, json, junit, tap, github\n/)
    expect(out).toMatch(/\n\d+ plugins\n$/)
  })

  test('as data, complete', async () => {
    const { plugins } = JSON.parse((await trapframe('plugins', '--json')).out)
    const isa = plugins.find(({ plugin: name }: { plugin: string }) => name === 'isa')
    const instructions = isa.contributes.find(({ kind }: { kind: string }) => kind === 'instructions')
    expect(instructions.names.length).toBeGreaterThan(300)
    expect(isa.problem).toBeNull()
  })

  test('a plugin of somebody else: MSR, instruction, feature, state, a slot that nobody knows', async () => {
    const file = join(
      folderWith({
        'acme.mjs': plugin(
          'acme',
          `host.msrs.define({ index: 0x1234, name: 'ACME' })
           host.instructions.define({ mnemonic: 'rdrand', under: 'fred', execute() {} })
           host.regions.declare({ name: 'acme/x', scope: 'cpu', bytes: 8, version: 1 })
           host.add({ name: 'acme/things', combine: 'all' }, 'one', 1)`,
          "options: { seed: 7 }, requires: ['isa'],",
        ),
      }),
      'acme.mjs',
    )
    const { code, out } = await trapframe('plugins', '--plugin', file)
    const own = out.slice(out.indexOf('\nacme  ') + 1)
    expect(own.replaceAll(/ {2,}/g, ' ')).toContain(`acme ${file} · requires isa · options {"seed":7}
 MSRs ACME (1234h)
 instructions under fred rdrand
 state acme/x (cpu, 8 bytes)
 acme/things one
`)
    expect(code).toBe(0)
  })

  test('every clash is explained, the others are loaded, and the exit code is 1', async () => {
    const folder = folderWith({
      'a.mjs': plugin('a', "host.instructions.define({ mnemonic: 'hlt', execute() {} })"),
      'b.mjs': plugin('b', "host.msrs.define({ index: 0x1d4, name: 'MINE' })"),
      'c.mjs': plugin('c', '', "requires: ['d'],"),
      'd.mjs': plugin('d', "host.msrs.define({ index: 0x1234, name: 'D' })"),
      'e.mjs': plugin('e', '', "requires: ['nobody'],"),
      'f.mjs': plugin('f', "throw new TypeError('oops')"),
    })
    const files = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((name) => ['--plugin', join(folder, `${name}.mjs`)])
    const { code, out, err } = await trapframe('plugins', ...files)
    expect(err).toBe('')
    expect(out).toContain('plugins "a" and "isa" both give "hlt" its semantics')
    expect(out).toContain('plugins "b" and "fred" both define MSR 0x1d4: MINE and IA32_FRED_CONFIG')
    expect(out).toContain('plugin "e" requires "nobody", which is not loaded')
    expect(out).toContain('failed: oops')
    expect(out).not.toContain('plugin "c" requires')
    expect(out).toMatch(/, 4 of which do not fit\n$/)
    expect(code).toBe(1)
  })

  test('a module that the config and the command line both name is loaded once', async () => {
    const folder = folderWith({
      'acme.mjs': plugin('acme', ''),
      'trapframe.config.json': '{ "plugins": ["./acme.mjs"] }',
      'x.yaml': 'name: x\nguest: nop\nexpect: [{ outcome: done }]\n',
    })
    const both = ['--config', join(folder, 'trapframe.config.json'), '--plugin', join(folder, 'acme.mjs')]
    expect((await trapframe('plugins', ...both)).code).toBe(0)
    expect(await trapframe('run', join(folder, 'x.yaml'), ...both)).toMatchObject({ code: 0, err: '' })
  })

  test('a module that is not there is told as everywhere', async () => {
    const { code, err } = await trapframe('plugins', '--plugin', './nothing.mjs')
    expect(err).toMatch(/^error: plugin ".\/nothing\.mjs" was not found\n/)
    expect(code).toBe(2)
  })
})
