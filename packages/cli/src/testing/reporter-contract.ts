import { type ContractCheck, ContractError, type ContractOptions, contract } from '@trapframe/core/testing'
import type { ReporterContext, ReporterKind, RunReport, ScenarioReport } from '../report/reporter.js'
import { type CellResult, totalsOf } from '../report/result.js'

export interface ReporterContract extends ContractOptions {
  readonly reporter: ReporterKind
}

const place = { file: 'scenarios/<odd> & "quoted", 100 %.yaml', line: 7, column: 3 }

function cell(name: string, passed: boolean): CellResult {
  return {
    name,
    axes: name === '' ? {} : { delivery: name },
    passed,
    outcome: 'done',
    steps: 12,
    expectations: [
      { verb: 'outcome', place, holds: true, expected: 'done', actual: 'done' },
      ...(passed
        ? []
        : [{ verb: 'frame', place, holds: false, expected: 'an NMI frame on IST2', actual: 'none\nin ]]> two lines' }]),
    ],
    violations: passed ? [] : [{ invariant: 'good-stack', message: 'NMI frame written to 7ffeffd8', cpu: 0, step: 3 }],
    log: ['(XEN) <1> a line & another'],
    unmentioned: passed ? [] : ['good-stack'],
  }
}

function scenario(name: string, cells: readonly CellResult[]): ScenarioReport {
  return { file: place.file, name, refs: ['X7'], cells, milliseconds: cells.map(() => 1.5) }
}

function run(scenarios: readonly ScenarioReport[], more: Partial<RunReport> = {}): RunReport {
  const unreadable = more.unreadable ?? []
  const totals = totalsOf(scenarios, unreadable.length)
  return { scenarios, unreadable, totals, leftOut: 0, end: 'complete', milliseconds: 12, ...more }
}

/** Runs as a reporter may meet them, by name: nothing at all, all well, failures, unreadable files, an early end. */
export const SAMPLE_RUNS: Readonly<Record<string, RunReport>> = {
  'nothing was run': run([]),
  'all passed': run([scenario('one', [cell('', true)]), scenario('two', [cell('idt', true), cell('fred', true)])]),
  'some failed': run([scenario('A & <B> "C" # d', [cell('idt', false), cell('fred', true)])]),
  'a file could not be read': run([], {
    unreadable: [{ file: place.file, errors: [{ message: 'unknown event "nim"', line: 3, column: 5, hint: 'nmi?' }] }],
  }),
  'a person ended it': run([scenario('one', [cell('idt', true)])], { end: 'interrupted', leftOut: 3 }),
}

/** What a reporter owes: it tells every run, the same way each time, in plain text where no colours are wanted. */
export function reporterContract({ reporter, ...options }: ReporterContract): readonly ContractCheck[] {
  const eachRun = (visit: (name: string, sample: RunReport) => void): void => {
    for (const [name, sample] of Object.entries(SAMPLE_RUNS)) visit(name, sample)
  }
  return contract(
    [
      ['listed', 'it has a sentence for listings', () => must(reporter.summary.trim() !== '', 'it has no summary')],
      [
        'text',
        'what it writes is text, and nothing but text reaches the output',
        () =>
          eachRun((name, sample) => {
            const odd = written(reporter, sample).find((text) => typeof text !== 'string')
            must(odd === undefined, `where ${name} it wrote a value of type ${typeof odd}`)
          }),
      ],
      [
        'no-colour',
        'where no colours are wanted there are no escape sequences',
        () =>
          eachRun((name, sample) => {
            must(!written(reporter, sample).join('').includes('\u001b'), `where ${name} it wrote an escape sequence`)
          }),
      ],
      [
        'repeatable',
        'a run is told the same way twice, by reporters that know nothing of each other',
        () =>
          eachRun((name, sample) => {
            const first = written(reporter, sample).join('')
            const again = written(reporter, sample).join('')
            must(first === again, `where ${name} it wrote something else the second time`)
          }),
      ],
      [
        'reads-only',
        'it changes nothing of what it is told',
        () =>
          eachRun((name, sample) => {
            const before = JSON.stringify(sample)
            written(reporter, sample)
            must(JSON.stringify(sample) === before, `where ${name} it changed the report`)
          }),
      ],
      [
        'ends-lines',
        'what it has written at the end of a run ends with a line end',
        () =>
          eachRun((name, sample) => {
            const text = written(reporter, sample).join('')
            must(text === '' || text.endsWith('\n'), `where ${name} the last line has no end`)
          }),
      ],
    ],
    options,
  )
}

/** What a reporter writes about a run, piece by piece. */
function written(reporter: ReporterKind, sample: RunReport): readonly string[] {
  const pieces: string[] = []
  const context: ReporterContext = {
    write: (text) => void pieces.push(text),
    paint: (_role, text) => text,
    environment: {},
    folder: '/project',
  }
  const one = reporter.create(context)
  for (const report of sample.scenarios) one.scenario?.(report)
  for (const file of sample.unreadable) one.unreadable?.(file)
  one.end?.(sample)
  return pieces
}

function must(holds: boolean, message: string): asserts holds {
  if (!holds) throw new ContractError(message)
}
