import { placeText } from '../error/frame.js'
import type { Unreadable } from './json.js'
import type { ReporterKind, RunReport, ScenarioReport } from './reporter.js'
import type { CellResult } from './result.js'

/**
 * JUnit's XML, which CI systems show as test results: a `testsuite` for each scenario, a `testcase` for each cell with
 * the file, the line and the values of the axes. A file that could not be read is a suite with one error.
 */
export const JUNIT: ReporterKind = {
  summary: "JUnit's XML, for CI systems",
  create: ({ write }) => ({ end: (run) => write(junitXml(run)) }),
}

function junitXml({ scenarios, unreadable, totals, milliseconds }: RunReport): string {
  const counts = {
    tests: totals.cells + unreadable.length,
    failures: totals.failed,
    errors: unreadable.length,
    time: seconds(milliseconds),
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(0, 'testsuites', { name: 'trapframe', ...counts }, [
    ...scenarios.map(suite),
    ...unreadable.map(errorSuite),
  ])}`
}

function suite({ file, name, refs, cells, milliseconds }: ScenarioReport): string {
  const counts = {
    tests: cells.length,
    failures: cells.filter(({ passed }) => !passed).length,
    errors: 0,
    skipped: 0,
    time: seconds(milliseconds.reduce((sum, one) => sum + one, 0)),
  }
  return element(1, 'testsuite', { name, file, ...counts }, [
    ...properties(
      2,
      refs.map((ref) => ['ref', ref]),
    ),
    ...cells.map((cell, i) => testcase(file, name, cell, milliseconds[i]!)),
  ])
}

function testcase(file: string, scenario: string, cell: CellResult, milliseconds: number): string {
  const failed = cell.expectations.filter(({ holds }) => !holds)
  const line = (failed[0] ?? cell.expectations[0])?.place.line ?? 1
  const name = cell.name === '' ? scenario : cell.name
  return element(2, 'testcase', { name, classname: file, file, line, time: seconds(milliseconds) }, [
    ...properties(
      3,
      Object.entries(cell.axes).map(([axis, value]) => [axis, String(value)]),
    ),
    ...(failed.length === 0 ? [] : [failure(failed)]),
    ...(cell.passed || cell.log.length === 0 ? [] : [element(3, 'system-out', {}, cell.log.join('\n'))]),
  ])
}

function failure(failed: CellResult['expectations']): string {
  const first = failed[0]!
  const more = failed.length === 1 ? '' : ` (and ${failed.length - 1} more)`
  const text = failed
    .map(
      ({ verb, place, expected, actual }) =>
        `${placeText(place)}  ${verb}\n  expected  ${expected}\n  actual    ${actual}`,
    )
    .join('\n')
  const message = `${first.verb}: expected ${first.expected}, actual ${first.actual}${more}`
  return element(3, 'failure', { message, type: first.verb }, text)
}

function errorSuite({ file, errors }: Unreadable): string {
  const text = errors
    .map(
      ({ message, line, column, hint }) =>
        `${file}${line === undefined ? '' : `:${line}:${column}`}  ${message}${hint === undefined ? '' : `\n  ${hint}`}`,
    )
    .join('\n')
  const line = errors.find((error) => error.line !== undefined)?.line ?? 1
  const message = errors.map((error) => error.message).join('; ')
  return element(1, 'testsuite', { name: file, file, tests: 1, failures: 0, errors: 1, skipped: 0, time: seconds(0) }, [
    element(2, 'testcase', { name: 'can be read', classname: file, file, line, time: seconds(0) }, [
      element(3, 'error', { message, type: 'unreadable' }, text),
    ]),
  ])
}

function properties(depth: number, list: readonly (readonly [name: string, value: string])[]): string[] {
  if (list.length === 0) return []
  const inner = list.map(([name, value]) => element(depth + 1, 'property', { name, value }))
  return [element(depth, 'properties', {}, inner)]
}

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(3)

/** An element with attributes and, in it, elements or text. */
function element(
  depth: number,
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content: string | readonly string[] = [],
): string {
  const indent = '  '.repeat(depth)
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeAttribute(String(value))}"`)
  const start = `${indent}<${name}${written.join('')}`
  if (content.length === 0) return `${start}/>\n`
  return typeof content === 'string'
    ? `${start}>${escapeXml(content)}</${name}>\n`
    : `${start}>\n${content.join('')}${indent}</${name}>\n`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Line ends and tabs of an attribute would be read as blanks. */
const escapeAttribute = (text: string): string =>
  escapeXml(text).replace(/[\t\n\r]/g, (character) => `&#${character.codePointAt(0)};`)

/** What XML cannot hold at all becomes a replacement character. */
const escapeXml = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no control characters
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!)
