import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { type FinalResults, Parser } from 'tap-parser'
import { describe, expect, test } from 'vitest'
import { folderWith, trapframe } from '../../test/command-line.js'
import { GITHUB } from './github.js'
import { JUNIT } from './junit.js'
import { reporters } from './plugin.js'
import { REPORTERS, type ReporterContext, type ReporterKind, type RunReport, type ScenarioReport } from './reporter.js'
import { totalsOf } from './result.js'
import { TAP } from './tap.js'

const GOOD = `name: "Good & <well>"
refs: [X7, "SDM 7.1"]
matrix: { delivery: [idt, fred] }
machine: { host: xen, delivery: "\${delivery}" }
guest: |
  mov rax, 1
expect: [{ registers: { rax: 1 } }]
`
const FAILING = `name: Failing
matrix: { n: [1, 2] }
guest: |
  mov rax, 1
expect:
  - { when: { n: 2 }, registers: { rax: 2 } }
  - { outcome: done }
`
const WRONG = 'name: Wrong\nguest: |\n  syscal\n'

const three = (): { folder: string; files: string[] } => {
  const folder = folderWith({ 'a.yaml': GOOD, 'b.yaml': FAILING, 'c.yaml': WRONG })
  return { folder, files: ['a', 'b', 'c'].map((name) => join(folder, `${name}.yaml`)) }
}

/** What a reporter writes of a run that is given. */
function written(kind: ReporterKind, run: Partial<RunReport>, context: Partial<ReporterContext> = {}): string {
  let text = ''
  const reporter = kind.create({
    write: (more) => {
      text += more
    },
    paint: (_role, plain) => plain,
    environment: {},
    folder: '/repo',
    ...context,
  })
  const scenarios = run.scenarios ?? []
  const unreadable = run.unreadable ?? []
  for (const one of scenarios) reporter.scenario?.(one)
  for (const one of unreadable) reporter.unreadable?.(one)
  const totals = totalsOf(scenarios, unreadable.length)
  reporter.end?.({ scenarios, unreadable, totals, leftOut: 0, end: 'complete', milliseconds: 1234, ...run })
  return text
}

/** A scenario with one cell that failed with these words. */
function failing(words: { name?: string; cell?: string; expected?: string; log?: string[] }): ScenarioReport {
  const { name = 'x', cell = '', expected = 'e', log = [] } = words
  const place = { file: 'dir/x.yaml', line: 7, column: 3 }
  const expectations = [{ verb: 'frame', place, holds: false, expected, actual: 'a' }]
  const common = { axes: {}, outcome: 'done', steps: 1, violations: [], unmentioned: [], passed: false } as const
  return {
    file: 'dir/x.yaml',
    name,
    refs: [],
    milliseconds: [1.5],
    cells: [{ name: cell, expectations, log, ...common }],
  }
}

/** What another program makes of TAP. */
function readTap(text: string): Promise<FinalResults> {
  return new Promise((resolve) => new Parser({ strict: true }, resolve).end(text))
}

const XML = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  isArray: (name) => ['testsuite', 'testcase', 'property'].includes(name),
})

describe('JUnit, read by an XML parser', () => {
  test('a suite a scenario, a case a cell, with file, line, axes and references', async () => {
    const { folder, files } = three()
    const output = join(folder, 'deep/out.xml')
    const { code, out } = await trapframe('run', ...files, '--reporter', `junit=${output}`)
    expect(code).toBe(2)
    expect(out, 'people are told as ever').toContain('3 scenarios, 4 cells: 3 passed, 1 failed, 1 scenario could not')
    const text = readFileSync(output, 'utf8')
    expect(XMLValidator.validate(text)).toBe(true)
    const { testsuites } = XML.parse(text)
    expect(testsuites).toMatchObject({ name: 'trapframe', tests: '5', failures: '1', errors: '1' })
    const [good, failed, wrong] = testsuites.testsuite
    expect(good).toMatchObject({ name: 'Good & <well>', file: files[0], tests: '2', failures: '0' })
    expect(good.properties.property).toEqual([
      { name: 'ref', value: 'X7' },
      { name: 'ref', value: 'SDM 7.1' },
    ])
    expect(good.testcase[1]).toMatchObject({ name: 'fred', classname: files[0], file: files[0], line: '7' })
    expect(good.testcase[1].time).toMatch(/^\d+\.\d{3}$/)
    expect(good.testcase[1].properties.property).toEqual([{ name: 'delivery', value: 'fred' }])
    expect(failed.testcase[0].failure).toBeUndefined()
    expect(failed.testcase[1]).toMatchObject({ name: 'n: 2', line: '6' })
    expect(failed.testcase[1].failure.type).toBe('registers')
    expect(failed.testcase[1].failure['#text']).toContain(`${files[1]}:6:23  registers\n  expected`)
    expect(wrong.testcase[0].error.message).toContain('there is no instruction "syscal"')
    expect(wrong.testcase[0].error['#text']).toContain(`${files[2]}:3:3`)
    expect(wrong.testcase[0].error['#text']).toContain('did you mean "syscall"?')
  })

  test('what XML cannot hold, and what it would read otherwise', () => {
    const odd = 'a\u0000b\u001b[1m <"&\'> ]]> \ud800 ✗'
    const text = written(JUNIT, {
      scenarios: [failing({ name: 'two\nlines\t"x"', expected: odd, log: [odd, 'next'] })],
    })
    expect(XMLValidator.validate(text)).toBe(true)
    const suite = XML.parse(text).testsuites.testsuite[0]
    expect(text).toContain('name="two&#10;lines&#9;&quot;x&quot;"')
    expect(suite.testcase[0].failure['#text']).toContain('a\ufffdb\ufffd[1m <"&\'> ]]> \ufffd ✗')
    expect(suite.testcase[0]['system-out']).toContain('✗\nnext')
  })
})

describe('TAP 14, read by tap-parser', () => {
  test('a subtest a scenario, and YAML under what failed', async () => {
    const { files } = three()
    const { out } = await trapframe('run', ...files, '--reporter', 'tap')
    expect(out).toMatch(/^TAP version 14\n/)
    const { ok, count, pass, fail, plan, failures } = await readTap(out)
    expect({ ok, count, pass, fail, end: plan.end }).toEqual({ ok: false, count: 3, pass: 1, fail: 2, end: 3 })
    const cell = failures.find(({ fullname }) => fullname.includes('n: 2')) ?? failures[0]
    expect(JSON.stringify(failures)).toContain('there is no instruction')
    expect(cell).toBeDefined()
    expect(out).toContain('    not ok 2 - n: 2\n      ---\n      outcome: done\n')
    expect(out).toMatch(/ {8}- verb: registers\n {10}at: \S+b\.yaml:6:23\n/)
  })

  test('everything passes; names that TAP would misread', async () => {
    const good = failing({ name: 'a # TODO b \\ c\nok 7', cell: '# skip' })
    const passed = { ...good, cells: [{ ...good.cells[0]!, passed: true, expectations: [] }] }
    const results = await readTap(written(TAP, { scenarios: [passed, passed] }))
    expect(results).toMatchObject({ ok: true, count: 2, pass: 2, fail: 0, todo: 0, skip: 0 })
  })

  test('a run that a person ended, and one that its first failure ended', async () => {
    for (const end of ['interrupted', 'bailed'] as const) {
      const results = await readTap(written(TAP, { scenarios: [failing({})], end }))
      expect(results.bailout).toBeTruthy()
      expect(results.ok).toBe(false)
    }
  })

  test('nothing at all is a plan of nothing', async () => {
    expect(written(TAP, {})).toBe('TAP version 14\n1..0\n')
  })
})

describe('JSON lines', () => {
  test('a cell a line, what cannot be read, and a summary', async () => {
    const { files } = three()
    const { out, code } = await trapframe('run', ...files, '--reporter', 'jsonl')
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ type }) => type)).toEqual(['cell', 'cell', 'cell', 'cell', 'unreadable', 'summary'])
    expect(lines[1]).toMatchObject({
      file: files[0],
      scenario: 'Good & <well>',
      refs: ['X7', 'SDM 7.1'],
      name: 'fred',
      axes: { delivery: 'fred' },
      passed: true,
      milliseconds: expect.any(Number),
    })
    expect(lines[3]).toMatchObject({ axes: { n: 2 }, passed: false })
    expect(lines[4].errors[0]).toMatchObject({ line: 3, column: 3 })
    expect(lines[5]).toMatchObject({ end: 'complete', totals: { cells: 4, failed: 1, unreadable: 1 } })
    expect(code).toBe(2)
  })
})

describe('annotations for GitHub', () => {
  test('an error for each expectation that failed, and each mistake of a file', async () => {
    const { files } = three()
    const { out } = await trapframe('run', ...files, '--reporter', 'github')
    const annotations = out.split('\n').filter((line) => line.startsWith('::'))
    expect(annotations).toHaveLength(2)
    expect(annotations[0]).toMatch(
      /^::error file=\S+b\.yaml,line=6,col=23,title=Failing \(n%3A 2\)::registers%0Aexpected {2}/,
    )
    expect(annotations[1]).toContain('line=3,col=3,title=scenario cannot be read::there is no instruction "syscal"')
    expect(out, 'beside the report for people').toContain('4 cells: 3 passed, 1 failed')
  })

  test('per cent signs, line ends, commas and colons are escaped; files are relative to the repository', () => {
    const text = written(
      GITHUB,
      { scenarios: [failing({ name: 'a,b:c', expected: '50% of\r\n::warning::this' })] },
      { environment: { GITHUB_WORKSPACE: '/repo' }, folder: '/repo/sub' },
    )
    expect(text).toBe(
      '::error file=sub/dir/x.yaml,line=7,col=3,title=a%2Cb%3Ac::frame%0Aexpected  50%25 of%0D%0A::warning::this%0Aactual    a\n',
    )
  })
})

test('the reporters are in their slot, as those of plugins are', () => {
  const names: string[] = []
  const host = { add: (slot: unknown, name: string) => void (slot === REPORTERS && names.push(name)) }
  reporters().setup(host as never)
  expect(names).toEqual(['pretty', 'jsonl', 'json', 'junit', 'tap', 'github'])
})
