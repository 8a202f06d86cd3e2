import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { memoryTerminal } from '../terminal/terminal.js'
import { run, runFiles } from './run-files.js'

const scenario = (name: string, ref: string, rax: number): string => `name: ${name}
refs: [${ref}]
matrix: { delivery: [idt, fred] }
machine: { delivery: "\${delivery}" }
guest: mov rax, 1
expect: [{ registers: { rax: ${rax} } }]
`

const folder = (): string =>
  folderWith({
    'one.yaml': scenario('First', 'X7', 1),
    'two.yaml': scenario('Second', 'X71', 1),
    'bad.yaml': scenario('Bad', 'A1', 2),
  })

describe('which scenarios and cells', () => {
  test('globs, also beside files and folders; each file once', async () => {
    const here = folder()
    const { out, code } = await trapframe('run', join(here, '{one,two}.y*ml'), join(here, 'one.yaml'))
    expect(out).toContain('2 scenarios, 4 cells: 4 passed, 0 failed')
    expect(code).toBe(0)
    const nothing = await trapframe('run', join(here, 'no*.yaml'))
    expect(nothing.err).toMatch(/^error: no scenario matches .*no\*\.yaml\n$/)
    expect(nothing.code).toBe(2)
  })

  test('--filter and -t by name or reference; what is left out is told', async () => {
    const here = folder()
    const byRef = await trapframe('run', here, '-t', 'X7')
    expect(byRef.out).toContain('First')
    expect(byRef.out).toContain('1 scenario, 2 cells: 2 passed, 0 failed\n4 cells left out by the selection\n')
    expect((await trapframe('run', here, '--filter=second')).out).toContain('1 scenario, 2 cells')
    expect((await trapframe('run', here, '-t', 'first', '-t', 'second')).out).toContain('2 scenarios, 4 cells')
  })

  test('--cell AXIS=VALUE', async () => {
    const { out } = await trapframe('run', folder(), '--cell', 'delivery=fred', '-t', 'first')
    expect(out).toContain('✓ fred')
    expect(out).not.toContain('✓ idt')
    expect(out).toContain('1 scenario, 1 cell: 1 passed, 0 failed\n5 cells left out')
  })

  test.each([
    [['--cell', 'delivry=fred'], 'no scenario has an axis "delivry"', 'did you mean "delivery"?'],
    [['--cell', 'delivery=frd'], 'axis "delivery" has no value "frd"', 'did you mean "fred"?'],
    [['--cell', 'fred'], '"fred" selects no cell', 'write --cell AXIS=VALUE'],
    [['-t', 'Secnd'], 'no scenario has "Secnd" in its name or among its references', 'did you mean "Second"?'],
    [['--workers', 'many'], '--workers cannot be "many"', 'a number of threads'],
    [['--reporter', 'junt'], 'there is no reporter "junt"', 'did you mean "junit"?'],
    [['--reporter', 'tap', '--json'], 'tap and json cannot both write to stdout', '--reporter json=FILE'],
    [['--output', 'x'], '--output is for one reporter, and none is without a file', '--reporter NAME=FILE'],
    [['--reporter', 'tap=/dev/null/x'], '/dev/null/x cannot be written', '/dev/null'],
    [['--config', 'nothing.config.ts'], 'the config nothing.config.ts cannot be read', 'there is no such file'],
  ])('a mistake in %j is told', async (words, message, hint) => {
    const { err, out, code } = await trapframe('run', folder(), ...words)
    expect(err).toContain(`error: ${message}`)
    expect(err).toContain(hint)
    expect(out).toBe('')
    expect(code).toBe(2)
  })

  test('nothing to run', async () => {
    const { err, code } = await trapframe('run')
    expect(err).toBe(
      'error: "run" needs FILE…\n  for example: trapframe run scenarios/; or write "files" into trapframe.config.ts\n',
    )
    expect(code).toBe(2)
  })
})

describe('the end of a run', () => {
  test('--bail ends it with the first cell that fails', async () => {
    const { out, code } = await trapframe('run', folder(), '--bail')
    expect(out).toContain('1 scenario, 1 cell: 0 passed, 1 failed\nstopped at the first failure')
    expect(code).toBe(1)
  })

  test('without a failure it changes nothing', async () => {
    const { out, code } = await trapframe('run', folder(), '--bail', '-t', 'first')
    expect(out).not.toContain('stopped')
    expect(code).toBe(0)
  })

  test('an interrupted run tells what is known, and its code is 130', async () => {
    const controller = new AbortController()
    const terminal = memoryTerminal()
    const counting = {
      ...terminal,
      out: {
        ...terminal.out,
        write(text: string) {
          terminal.out.write(text)
          controller.abort()
        },
      },
    }
    const code = await runFiles([folder()], counting, { signal: controller.signal })
    expect(code).toBe(130)
    expect(terminal.text.out).toContain('1 scenario, 2 cells: 0 passed, 2 failed\ninterrupted: this is what is known\n')
  })

  test('what a run was made of is known afterwards', async () => {
    const here = folder()
    const { results } = await run([here], memoryTerminal(), {})
    expect(results.map(({ name }) => name)).toEqual(['Bad', 'First', 'Second'])
  })
})

describe('reporters', () => {
  test('--output is where the one reporter writes to, and stdout remains for people', async () => {
    const here = folder()
    const file = join(here, 'out.json')
    const { out } = await trapframe('run', here, '--reporter', 'json', '--output', file)
    expect(out).toContain('3 scenarios, 6 cells')
    expect(JSON.parse(readFileSync(file, 'utf8')).totals.cells).toBe(6)
  })

  test('several at once', async () => {
    const here = folder()
    const words = [
      '--reporter',
      `junit=${join(here, 'o.xml')}`,
      '--reporter',
      'tap',
      '--reporter',
      `jsonl=${join(here, 'o.jsonl')}`,
    ]
    const { out } = await trapframe('run', here, ...words)
    expect(out).toMatch(/^TAP version 14\n/)
    expect(readFileSync(join(here, 'o.xml'), 'utf8')).toMatch(/^<\?xml/)
    expect(readFileSync(join(here, 'o.jsonl'), 'utf8').split('\n')).toHaveLength(8)
  })

  test('--reporter json is what --json prints', async () => {
    const here = folder()
    expect(await trapframe('run', here, '--reporter', 'json')).toEqual(await trapframe('run', here, '--json'))
  })

  test('GitHub Actions gets annotations by itself, on stderr where stdout is for a program', async () => {
    const here = folder()
    const actions = { environment: { GITHUB_ACTIONS: 'true' } }
    const people = memoryTerminal(actions)
    await runFiles([here], people, {})
    expect(people.text.out.match(/^::error /gm)).toHaveLength(2)
    expect(people.text.out).toContain('3 scenarios')
    const program = memoryTerminal(actions)
    await runFiles([here], program, { json: true })
    expect(() => JSON.parse(program.text.out)).not.toThrow()
    expect(program.text.err.match(/^::error /gm)).toHaveLength(2)
  })

  test('a plugin adds one by the slot', async () => {
    const here = folder()
    writeFileSync(
      join(here, 'dots.mjs'),
      `export const dots = { name: 'dots', setup(host) {
        host.add({ name: 'cli/reporters', combine: 'all' }, 'dots', {
          summary: 'a mark a cell',
          create: ({ write }) => ({ scenario: ({ cells }) => write(cells.map((c) => (c.passed ? '.' : 'F')).join('')) }),
        })
      } }\n`,
    )
    const { out, err } = await trapframe('run', here, '--plugin', join(here, 'dots.mjs'), '--reporter', 'dots')
    expect(err).toBe('')
    expect(out).toBe('FF....')
  })
})

describe('scenarios in TypeScript run when they are named, not when they are found', () => {
  test('a folder passes them over and says so', async () => {
    const here = folderWith({ 'one.yaml': scenario('First', 'X7', 1) })
    mkdirSync(join(here, 'ts'))
    const file = join(here, 'ts/two.scenario.ts')
    writeFileSync(file, `export default { name: 'Two', guest: 'mov rax, 1', expect: [{ registers: { rax: 1 } }] }\n`)
    const passed = await trapframe('run', here)
    expect(passed.out).toContain('1 scenario, 2 cells')
    expect(passed.err).toContain(`1 scenario in TypeScript passed over, as it is code that would run: name ${file}`)
    expect((await trapframe('run', here, '--allow-plugins')).out).toContain('2 scenarios, 3 cells')
    expect((await trapframe('run', file)).out).toContain('1 scenario, 1 cell: 1 passed')
  })
})
