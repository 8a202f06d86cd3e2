import type { UserError } from '@trapframe/core'
import { type Document, LineCounter, parseDocument } from 'yaml'
import { ScenarioError, ScenarioErrors } from '../error/scenario-error.js'
import { LIMITS } from './limits.js'
import { Places } from './place.js'
import { checkTree, countValues, TOO_DEEP, tooDeepAt } from './yaml-tree.js'

/** A YAML file as data, with a way back from data to places. Integers are `bigint`, so that 64 bits survive. */
export interface YamlFile {
  readonly data: unknown
  readonly places: Places
}

/** What the parser's codes mean to a person. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'YAML does not allow tabs in the indentation',
  DUPLICATE_KEY: 'this key is there twice',
  MULTIPLE_DOCS: 'a file holds one scenario, and here a second document begins',
}

/**
 * Reads YAML 1.2.
 *
 * @throws ScenarioErrors with the first mistake of syntax: those after it are mostly its echo
 */
export function readYaml(file: string, source: string): YamlFile {
  const lines = new LineCounter()
  const document = parse(file, source, lines)
  const places = new Places(file, source, document, lines)
  const problem = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])[0]
  const wrong = (error: UserError): ScenarioErrors => new ScenarioErrors(file, source, [error])
  if (problem !== undefined) {
    const [start, end] = problem.pos
    const word = /^[\w-]+/.exec(source.slice(start))?.[0].length ?? 1
    const newline = source.indexOf('\n', start)
    const length = Math.max(word, Math.min(end, newline < 0 ? end : newline) - start)
    const message = EXPLANATIONS[problem.code] ?? lowerFirst(problem.message.split('\n')[0]!)
    throw wrong(new ScenarioError(`this is no YAML: ${message}`, places.offset(start, length), hintFor(source, start)))
  }
  const offence = checkTree(document)
  if (offence !== undefined) {
    const { offset, length, message, hint } = offence
    throw wrong(new ScenarioError(message, places.offset(offset, length), hint))
  }
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: LIMITS.aliases })
  } catch (error) {
    const message = lowerFirst((error as Error).message)
    const bomb = message.startsWith('excessive alias')
    throw wrong(
      new ScenarioError(
        bomb ? `an anchor is used more than ${LIMITS.aliases} times` : `this is no YAML: ${message}`,
        places.offset(0),
        bomb ? 'aliases of aliases multiply: write out what they stand for' : undefined,
      ),
    )
  }
  if (countValues(data, LIMITS.values) > LIMITS.values) {
    const hint = `most: ${LIMITS.values}, with what aliases stand for`
    throw wrong(new ScenarioError('the file has too many values', places.offset(0), hint))
  }
  return { data, places }
}

/** Keys are compared by `checkTree`, in less time than the parser takes for many of them. */
function parse(file: string, source: string, lineCounter: LineCounter): Document.Parsed {
  const deep = tooDeepAt(source)
  if (deep === undefined) {
    return parseDocument(source, { lineCounter, intAsBigInt: true, prettyErrors: false, uniqueKeys: false })
  }
  const before = source.slice(0, deep).split('\n')
  const place = { file, line: before.length, column: before.at(-1)!.length + 1 }
  throw new ScenarioErrors(file, source, [new ScenarioError(TOO_DEEP, place, `most: ${LIMITS.depth}`)])
}

/** The usual reasons: a `${axis}` without quotes in braces, and a program's line that is indented less than its first. */
function hintFor(source: string, offset: number): string | undefined {
  const lines = source.slice(0, offset).split('\n')
  const line = lines.at(-1)! + source.slice(offset).split('\n', 1)[0]
  const bare = /(?<!["'\w])\$\{\w*\}/.exec(line)
  if (bare !== null) return `inside { } and [ ] write "${bare[0]}" with the quotes`
  const indent = indentation(line)
  const above = lines.slice(0, -1).findLast((one) => one.trim() !== '' && indentation(one) < indent)
  return above !== undefined && /:\s*[|>]/.test(above)
    ? 'no line of a block may be indented less than its first line'
    : undefined
}

const indentation = (line: string): number => line.length - line.trimStart().length

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)
