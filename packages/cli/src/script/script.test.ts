import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { defineScenario } from './define-scenario.js'
import { localImports } from './local-imports.js'
import { plainData, plainNumbers } from './plain-data.js'
import { SourcePlaces } from './source-places.js'

describe('places in a source', () => {
  const source = `import { x } from 'y'
// export: nothing
const scenario = define({
  // matrix: { wrong: 1 }
  "matrix": { delivery: ['idt', 'fr,ed'] as const, n: [1, f(2, [3]), 4] },
  expect: [
    { outcome: 'done' }, /* } */ { registers: { rax: \`\${[1, 2]}\` } },
  ],
})
export default scenario
`
  const places = new SourcePlaces('a.ts', source)
  const at = ({ line, column, length = 1 }: { line: number; column: number; length?: number }): string =>
    source.split('\n')[line - 1]!.slice(column - 1, column - 1 + length)

  test.each([
    [['matrix'], '"matrix"', '"matrix"'],
    [['matrix', 'delivery', 1], "'fr,ed'", "'fr,ed'"],
    [['matrix', 'n', 2], '4', '4'],
    [['expect', 0, 'outcome'], 'outcome', "'done'"],
    [['expect', 1, 'registers', 'rax'], 'rax', `\`\${[1, 2]}\``],
    [['expect', 1, 'registers', 'rbx'], 'registers', 'registers'],
    [['nothing'], 'define({', 'define({'],
  ])('%j', (path, key, value) => {
    expect(at(places.key(path))).toBe(key)
    expect(at(places.value(path))).toBe(value)
  })

  test('a source without a default export', () => {
    expect(new SourcePlaces('a.ts', 'export const a = 1').value(['a'])).toMatchObject({ line: 1, column: 1 })
  })
})

test('whole numbers become bigint, as YAML has them, and code gets them back as numbers', () => {
  const own = new (class Own {})()
  expect(plainData({ a: 1, b: [2, 'x'], c: 1.5, d: undefined, own })).toEqual({ a: 1n, b: [2n, 'x'], c: 1.5, own })
  expect(plainNumbers({ a: 1n, b: [2n] })).toEqual({ a: 1, b: [2] })
})

test('the modules that a module imports by path, and those that they import', async () => {
  const folder = folderWith({
    'a.ts': "import { b } from './b.js'\nimport x from 'package'\nexport * from './c'\n",
    'b.ts': "const c = await import('./c.ts')\n",
    'c.ts': "import './a.ts'\nimport './missing.ts'\n",
  })
  const found = await localImports(join(folder, 'a.ts'))
  expect(found.sort()).toEqual([join(folder, 'b.ts'), join(folder, 'c.ts')])
})

const SCENARIO = `interface Row { readonly rax: number }
const rows: Row[] = [{ rax: 1 }]
export default {
  name: 'In TypeScript',
  refs: ['X7'],
  matrix: { delivery: ['idt', 'fred'], rax: rows.map(({ rax }) => rax) },
  machine: { cpus: 1, delivery: '\${delivery}' },
  guest: \`
    mov rax, 1
    nop
  \`,
  limits: { steps: 10 },
  expect: [{ registers: { rax: '\${rax}' } }],
}
`

const VALUE = `rax: '\${rax}'`

describe('a scenario in TypeScript', () => {
  const run = (text: string) => {
    const file = join(folderWith({ 'x.scenario.ts': text }), 'x.scenario.ts')
    return trapframe('run', file).then((did) => ({ ...did, file }))
  }

  test('runs like one in YAML', async () => {
    const { out, err, code } = await run(SCENARIO)
    expect(err).toBe('')
    expect(out).toContain('✓ fred, rax: 1  done after 2 steps, 1 expectation met')
    expect(code).toBe(0)
  })

  test.each([
    ['nop', 'nopp', '10:5', 'there is no instruction "nopp"', 'did you mean "nop"?'],
    ['limits', 'limit', '12:3', 'unknown key "limit"', 'did you mean "limits"?'],
    [VALUE, 'rxa: 1', '13:27', 'unknown register "rxa"', 'did you mean "rax"?'],
    [VALUE, 'rax: 2', '13:14', 'registers', ''],
    ["'idt', 'fred'", "'idt', 'frd'", '7:33', 'host "xen" has no delivery "frd"', 'did you mean "fred"?'],
    ['name: ', 'name: 1 || ', '4:9', '"name" must be text, not 1', ''],
    ['export default', 'throw new Error("no")\nexport default', '3:7', 'this fails when it is executed: no', ''],
  ])('its mistakes have places: %s -> %s', async (from, to, at, message, hint) => {
    expect(SCENARIO).toContain(from)
    const { out, err, file, code } = await run(SCENARIO.replace(from, to))
    expect(err + out).toContain(`${file}:${at}  ${message}`)
    expect(err).toContain(hint)
    expect(err).not.toMatch(/\bat \S+ \(|internal error/)
    expect(code).not.toBe(0)
  })
})

test('defineScenario knows the keys of the grammar', () => {
  const scenario = defineScenario({
    name: 'typed',
    matrix: { delivery: ['idt', 'fred'] },
    machine: { cpu: 'panther-lake', cpus: 1, delivery: `\${delivery}`, options: { ist: true } },
    guest: 'nop',
    start: { program: 'guest', label: 'a' },
    inject: [{ event: 'interrupt', vector: 32, at: { label: 'a', occurrence: 2 }, when: { delivery: 'idt' } }],
    limits: { steps: 10 },
    expect: [{ unless: { delivery: ['idt'] }, outcome: 'done' }],
  })
  expect(scenario.name).toBe('typed')
  // @ts-expect-error a misspelt key
  defineScenario({ name: 'x', gest: 'nop' })
  // @ts-expect-error a text for a number
  defineScenario({ name: 'x', limits: { steps: 'ten' } })
  // @ts-expect-error a misspelt key of machine
  defineScenario({ name: 'x', machine: { cpu: 'skylake', hots: 'xen' } })
})
