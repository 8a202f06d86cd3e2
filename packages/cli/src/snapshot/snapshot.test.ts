import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { lineDiff } from './diff.js'

const TEXT = `name: x
matrix: { delivery: [idt, fred] }
machine: { host: "flat-$\{delivery}" }
guest: |
  mov eax, 5
  int 0x80
  back:
inject: [{ event: nmi, at: { label: back } }]
expect: [{ snapshot: whole run }]
`

/** A folder with the scenario; how to run it, and its snapshots. */
function scenario(text = TEXT) {
  const folder = folderWith({ 'x.yaml': text })
  const path = join(folder, '__snapshots__', 'x.yaml.snap')
  return {
    folder,
    path,
    write: (changed: string) => writeFileSync(join(folder, 'x.yaml'), changed),
    run: (...words: string[]) => trapframe('run', join(folder, 'x.yaml'), ...words),
    kept: () => readFileSync(path, 'utf8'),
  }
}

describe('expect: snapshot', () => {
  test('fails where there is none, and writes nothing unasked', async () => {
    const { run, path } = scenario()
    const { code, out } = await run()
    expect(out).toContain('there is no snapshot "whole run" for this cell: --update keeps one')
    expect(code).toBe(1)
    expect(existsSync(path)).toBe(false)
  })

  test('keeps outcome, registers, deliveries with frames and the log of each cell in a text file beside the scenario', async () => {
    const { run, kept } = scenario()
    expect((await run('--update')).code).toBe(0)
    expect((await run()).code).toBe(0)
    expect(kept()).toContain('=== whole run | idt\nend:\n  outcome done\n  steps 5\n  cpu 0 done CPL 3 idt\n')
    expect(kept()).toMatch(/=== whole run \| fred\n[^=]*\n {2}2 NMI at step 4 of CPU 0\n/)
    expect(kept()).toContain('rip 0x400007 back')
  })

  test('tells what changed by lines, and --update keeps the change', async () => {
    const { run, write, kept } = scenario()
    await run('-u')
    const before = kept()
    write(TEXT.replace('mov eax, 5', 'mov eax, 6'))
    const { code, out } = await run()
    expect(code).toBe(1)
    expect(out).toMatch(/\n {10}- {5}rax 0x5\n {10}\+ {5}rax 0x6\n/)
    expect(out).not.toContain('outcome done\n +  steps')
    expect(kept()).toBe(before)
    expect((await run('--update')).code).toBe(0)
    expect(kept()).toBe(before.replaceAll('rax 0x5', 'rax 0x6'))
  })

  test('is chosen by parts, the trace among them', async () => {
    const { run, kept } = scenario(
      TEXT.replace('whole run }', 't, of: [trace] }')
        .replace('snapshot: t, of', 'snapshot: { name: t, of')
        .replace('] }]', '] } }]'),
    )
    expect((await run('--update')).code).toBe(0)
    expect(kept()).toMatch(/=== t \| fred\ntrace:\n {2}instruction cpu 0, rip 0x400000 guest, text mov eax, 0x5/)
    expect(kept()).not.toContain('end:')
  })

  test('that is asked for no more goes with the next update', async () => {
    const { run, write, kept } = scenario()
    await run('--update')
    write(TEXT.replace('whole run', 'other'))
    await run('--update')
    expect(kept().match(/^=== .*$/gm)).toEqual(['=== other | idt', '=== other | fred'])
  })

  test('of some cells leaves those of the others alone', async () => {
    const { run, write, kept } = scenario()
    await run('--update')
    write(TEXT.replace('mov eax, 5', 'mov eax, 6'))
    await run('--update', '--cell', 'delivery=fred')
    expect(kept().match(/rax 0x\d/g)).toEqual(['rax 0x5', 'rax 0x6'])
  })

  test.each([
    ['a name twice', '{ snapshot: a }, { snapshot: a }', 'snapshot "a" is there twice'],
    ['a name of two lines', '{ snapshot: "a\\nb" }', 'the name of a snapshot is one line, without "|"'],
    ['an unknown part', '{ snapshot: { name: a, of: [ends] } }', 'cannot be "ends"'],
  ])('%s is a mistake', async (_what, entries, message) => {
    const { run } = scenario(TEXT.replace('{ snapshot: whole run }', entries))
    const { code, err } = await run()
    expect(err).toContain(message)
    expect(code).toBe(2)
  })

  test('a file of snapshots that is none is told, not overwritten', async () => {
    const { run, folder } = scenario()
    mkdirSync(join(folder, '__snapshots__', 'x.yaml.snap'), { recursive: true })
    const { code, err } = await run()
    expect(err).toContain('is no file of snapshots')
    expect(code).toBe(2)
  })
})

describe('lineDiff', () => {
  test('shows changes with two lines around them', () => {
    const kept = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']
    const now = kept.map((line) => (line === 'e' ? 'E' : line))
    expect(lineDiff(kept.join('\n'), now.join('\n'))).toEqual(
      ['  …', '  c', '  d', '- e', '+ E', '  f', '  g'].slice(1).concat([]),
    )
  })

  test('finds what stayed between changes, and ends in time with long texts', () => {
    expect(lineDiff('a\nb\nc', 'x\nb\ny')).toEqual(['- a', '+ x', '  b', '- c', '+ y'])
    const long = Array.from({ length: 20_000 }, (_, i) => `${i}`)
    const other = long.map((line) => `x${line}`)
    expect(lineDiff(long.join('\n'), other.join('\n')).at(-1)).toMatch(/… and \d+ lines more/)
  })
})
