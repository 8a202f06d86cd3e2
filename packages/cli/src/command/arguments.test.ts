import { describe, expect, test } from 'vitest'
import { trapframe } from '../../test/command-line.js'
import { repeated } from './arguments.js'
import { nearest, suggestion } from './suggest.js'
import { COMMANDS } from './tree.js'

describe('the command line', () => {
  test.each([
    [['rnu'], 'unknown command "rnu"', 'did you mean "run"?'],
    [['comp', 'x.yaml'], 'unknown command "comp"', 'did you mean "compare"?'],
    [['walk'], 'unknown command "walk"', undefined],
    [['--hlep'], 'unknown option "--hlep"', '"trapframe --help" lists what there is'],
    [['run', 'x.yaml', '--jsn'], 'unknown option "--jsn" of "run"', 'did you mean "--json"?'],
    [['run', '-j', 'x.yaml'], 'unknown option "-j" of "run"', '"trapframe run --help" lists its options'],
    [['run'], '"run" needs FILE…', 'for example: trapframe run scenarios/; or write "files" into trapframe.config.ts'],
    [['vectors'], '"vectors" needs FILE…', 'for example: trapframe vectors conformance/fred-bochs.jsonl.gz'],
    [['run', 'x.yaml', '--json=yes'], '--json takes no value, and "yes" was given', undefined],
    [['run', 'x.yaml', '--plugin'], '--plugin needs a value', 'write --plugin MODULE'],
    [['run', '--plugin', '--json', 'x.yaml'], '--plugin needs a value', 'write --plugin MODULE'],
    [['compare', 'a.yaml', 'b.yaml'], '"compare" takes one FILE, and "b.yaml" is too much', undefined],
    [['stack', 'x'], '"stack" takes no operands, and "x" is too much', undefined],
    [['help', 'nothing'], 'unknown command "nothing"', undefined],
  ])('trapframe %j', async (words, message, hint) => {
    const { code, out, err } = await trapframe(...words)
    expect(err.split('\n')[0]).toBe(`error: ${message}`)
    if (hint !== undefined) expect(err.split('\n')[1]).toBe(`  ${hint}`)
    expect([code, out]).toEqual([2, ''])
  })

  test('without a command the help goes to stderr, and the exit code is 2', async () => {
    const { code, out, err } = await trapframe()
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('Usage\n  trapframe COMMAND')
  })

  test.each([[['--help']], [['-h']], [['help']]])(
    'trapframe %j lists commands, examples and exit codes',
    async (words) => {
      const { code, out } = await trapframe(...words)
      expect(code).toBe(0)
      for (const name of ['run', 'compare', 'stack', 'vectors']) expect(out).toContain(`\n  ${name} `)
      expect(out).toContain('trapframe compare scenarios/nmi-in-syscall-gap.yaml')
      expect(out).toContain('0  everything held')
    },
  )

  test.each(['run', 'compare', 'stack', 'vectors'])('%s has a page with its options and examples', async (name) => {
    const { code, out } = await trapframe(name, '--help')
    expect(code).toBe(0)
    expect(out).toContain(`Usage\n  trapframe ${name} [OPTION…]`)
    expect(out).toContain('--json')
    expect(out).toContain(`Examples\n  trapframe ${name}`)
    expect((await trapframe('help', name)).out).toBe(out)
  })

  test.each(Object.keys(COMMANDS))('%s has examples in its page, each of them with a word about it', async (name) => {
    const { code, out } = await trapframe(name, '--help')
    expect(code).toBe(0)
    expect(out).toMatch(/\nExamples\n( {2}\S.* {2}\S.*\n)+$/)
  })

  test('short forms of options stand beside them', async () => {
    expect((await trapframe('run', '--help')).out).toContain('  -t, --filter TEXT ')
  })

  test('--version prints the version', async () => {
    expect(await trapframe('--version')).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })

  test('after -- a word is an operand, whatever it begins with', async () => {
    const { err } = await trapframe('run', '--', '--json')
    expect(err).toContain('there is no file --json')
  })
})

test('an option that is given several times keeps all values', () => {
  expect(repeated(['a', '--plugin', 'x', '--plugin=y', '--', '--plugin', 'z'], 'plugin')).toEqual(['x', 'y'])
  expect(repeated(['-t', 'x', '--filter', 'y', '-t=z', '-tt'], 'filter', 't')).toEqual(['x', 'y', 'z'])
})

describe('suggestions', () => {
  test('the nearest word, within reason; two letters that changed places count as one', () => {
    expect(nearest('syscal', ['sysret', 'syscall'])).toBe('syscall')
    expect(nearest('xne', ['flat-idt', 'xen'])).toBe('xen')
    expect(nearest('comp', ['run', 'compare'])).toBe('compare')
    expect(nearest('abc', ['xyz'])).toBeUndefined()
  })

  test('where nothing is near, what there is, and of much the first', () => {
    expect(suggestion('abc', ['xyz', 'uvw'], 'known')).toBe('known: xyz, uvw')
    expect(suggestion('abc', [])).toBeUndefined()
    const many = Array.from({ length: 40 }, (_, n) => `name${n}`)
    expect(suggestion('zzz', many, 'names')).toMatch(/^names: name0, .*, name15, and 24 more$/)
  })
})
