import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { parseScenario } from '../scenario/parse.js'
import { Bounds } from '../session/bounds.js'

vi.setConfig({ testTimeout: 30_000 })

const laughs = `name: x
a: &a [${'x, '.repeat(8)}]
${[...'bcdefgh'].map((name, i) => `${name}: &${name} [${Array(8).fill(`*${'abcdefgh'[i]}`).join(', ')}]`).join('\n')}
`
const FLAT = 'name: x\nmachine: { host: flat-fred }\n'
const list = (count: number, item: string): string => `[${Array(count).fill(item).join(', ')}]`
const numbers = (count: number): string => `[${Array.from({ length: count }, (_, i) => i).join(', ')}]`

// biome-ignore format: a table reads by its rows
const BOMBS: readonly (readonly [what: string, text: string, message: string, hint?: string])[] = [
  ['billion laughs', laughs, 'an anchor is used more than 100 times', 'aliases of aliases multiply: write out what they stand for'],
  ['an anchor within itself', 'name: x\nabout: &a [*a]\n', 'the file has too many values'],
  ['large aliases', `name: x\nrefs: &a ${list(5000, 'a')}\nexpect: ${list(50, '*a')}\n`, 'the file has too many values', 'most: 200000, with what aliases stand for'],
  ['brackets', `name: ${'['.repeat(500_000)}`, 'values lie too deep inside of each other', 'most: 64'],
  ['braces', `name: ${'{a: '.repeat(200_000)}`, 'values lie too deep inside of each other'],
  ['dashes', `name:\n${'- '.repeat(300_000)}x`, 'values lie too deep inside of each other'],
  ['questions', '? '.repeat(300_000), 'values lie too deep inside of each other'],
  ['blocks', Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), 'values lie too deep inside of each other'],
  ['keys', `name: x\n${Array.from({ length: 100_000 }, (_, i) => `k${i}:`).join('\n')}`, 'unknown key "k0"'],
  ['a file of 1 MiB and more', `name: x\nabout: ${'x'.repeat(1 << 20)}`, 'is too large for a scenario', 'most: 1 MiB'],
  ['values of an axis', `name: x\nmatrix: { a: ${numbers(100_000)} }`, 'the matrix has 100000 cells', 'most: 1024'],
  ['axes', `name: x\nmatrix: {${Array.from({ length: 40 }, (_, i) => `a${i}: [1]`).join(', ')}}`, 'the matrix has 40 axes', 'most: 32'],
  ['cells of a long file', `name: x\nmatrix: { a: ${numbers(1000)} }\nexpect: ${list(10_000, '{ outcome: done }')}`, 'a matrix of 1000 cells is too much for a file of this length'],
  ['cells of many CPUs', `name: x\nmatrix: { a: ${numbers(100)} }\nmachine: { cpus: 64, host: flat-idt }`, '100 cells with 6400 CPUs in all are too many', 'most: 2048 CPUs'],
  ['a text that grows', `name: x\nmatrix: { a: [${'x'.repeat(1000)}] }\nexpect: [{ log: "${`$\{a}`.repeat(10_000)}" }]`, 'this text grows too long', 'most: 65536 characters'],
  ['pages', `${FLAT}setup: [{ map: ${list(50, '{ address: 0x10000000, pages: 4096, attributes: w }')} }]`, 'these are too many pages', 'most: 16384 in one cell'],
  ['pages that are taken away', `${FLAT}setup: [{ unmap: ${list(50, '{ address: 0x10000000, pages: 4096 }')} }]`, 'these are too many pages'],
  ['assembly that repeats', `${FLAT}guest: "times 100000000 nop"`, '100000000 times is not between 0 and 65536'],
  ['assembly that repeats twice', `${FLAT}guest: "times 1000 times 1000000 nop"`, ''],
  ['assembly that reserves', `${FLAT}guest: "resb 0xffffffffffff"`, ''],
  ['an alignment', `${FLAT}guest: |\n  nop\n  align 0x4000000000\n`, ''],
  ['assembly that depends on itself', `${FLAT}guest: |\n  a: times (b - a + 1) nop\n  b:\n`, ''],
  ['constants of constants', `${FLAT}guest: |\n  a0 equ 1\n${Array.from({ length: 5000 }, (_, i) => `  a${i + 1} equ a${i} + a${i}\n`).join('')}  mov rax, a5000\n`, ''],
]

describe('a scenario that would exhaust the machine is refused, soon', () => {
  test.each(BOMBS.map(([what, text, message, hint]) => ({ what, text, message, hint })))(
    '$what',
    async ({ text, message, hint }) => {
      const file = join(folderWith({ 'x.yaml': text }), 'x.yaml')
      const start = performance.now()
      const { code, err } = await trapframe('run', file)
      expect(performance.now() - start).toBeLessThan(10_000)
      expect(err.slice(0, 2000)).toContain(message)
      if (hint !== undefined) expect(err).toContain(hint)
      expect(err).not.toContain('internal error')
      expect(err.length).toBeLessThan(200_000)
      expect(code).toBe(2)
    },
  )

  test('a run that takes too long is ended, and told as what it is', async () => {
    const text = `${FLAT}matrix: { a: [1, 2, 3] }\nguest: |\n  a: jmp a\nlimits: { steps: 1000000 }\n`
    const file = join(folderWith({ 'x.yaml': text }), 'x.yaml')
    const { code, err } = await trapframe('run', file, '--timeout', '0.05')
    expect(err).toMatch(/x\.yaml:6:1 {2}the scenario takes more than 0\.05 s \(in cell a: \d\)/)
    expect(err).toContain('fewer cells or steps, or --timeout SECONDS')
    expect(code).toBe(2)
  })

  test('a run that records without end is ended', () => {
    const bounds = new Bounds(parseScenario('x.yaml', FLAT))
    expect(() => bounds.checkStep(1, 500_000, '')).not.toThrow()
    expect(() => bounds.checkStep(7, 500_001, 'idt')).toThrow(
      'the run has more than 500000 events to keep after 7 steps (in cell idt)',
    )
  })

  test.each(['0', '-1', 'soon', '1e9'])('--timeout %s is a mistake', async (value) => {
    const { code, err } = await trapframe('run', 'x.yaml', `--timeout=${value}`)
    expect(err).toBe(`error: --timeout cannot be "${value}"\n  seconds, up to 86400\n`)
    expect(code).toBe(2)
  })
})

describe('a scenario runs no code and reads no files but its own', () => {
  test('YAML makes no objects of classes, whatever its tags say', async () => {
    for (const tag of ['!!js/function', '!!python/object', '!ruby/object', '!!binary']) {
      const file = join(folderWith({ 'x.yaml': `name: x\nabout: ${tag} "process.exit(3)"\n` }), 'x.yaml')
      expect((await trapframe('run', file)).code).toBe(2)
    }
  })

  test('keys with a meaning for JavaScript are keys like others', async () => {
    const file = join(
      folderWith({ 'x.yaml': 'name: x\n__proto__: { polluted: 1 }\nmachine: { options: { constructor: 1 } }\n' }),
      'x.yaml',
    )
    const { code, err } = await trapframe('run', file)
    expect([code, ({} as { polluted?: unknown }).polluted]).toEqual([2, undefined])
    expect(err).not.toContain('internal error')
  })

  test('a link to a device in the place of an image is refused, and does not hang', async () => {
    const folder = folderWith({ 'x.yaml': `${FLAT}guest: { elf: zero }\n` })
    symlinkSync('/dev/zero', join(folder, 'zero'))
    expect((await trapframe('run', join(folder, 'x.yaml'))).err).toContain('lies outside')
    expect((await trapframe('run', join(folder, 'x.yaml'), '--allow-files')).err).toContain(
      '"zero" is no ordinary file',
    )
  })

  test('a folder of snapshots that is a link to elsewhere is not written without being asked', async () => {
    const folder = folderWith({ 'x.yaml': `${FLAT}expect: [{ snapshot: a }]\n` })
    mkdirSync(join(folder, 'elsewhere'))
    symlinkSync(join(folder, 'elsewhere'), join(folder, '__snapshots__'))
    writeFileSync(join(folder, 'elsewhere', 'x.yaml.snap'), 'mine\n')
    expect((await trapframe('run', join(folder, 'x.yaml'))).code).toBe(1)
  })
})
