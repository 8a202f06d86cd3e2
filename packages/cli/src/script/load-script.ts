import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Place } from '@trapframe/core'
import { createJiti } from 'jiti'
import { ScenarioError, ScenarioErrors } from '../error/scenario-error.js'
import { localImports } from './local-imports.js'
import { SourcePlaces } from './source-places.js'

/** What a script exports by default, with the places of what is in it. */
export interface Script {
  readonly data: unknown
  readonly places: SourcePlaces
  /** The files that it imports by path, and what they import. */
  readonly files: readonly string[]
}

/**
 * Executes a TypeScript or JavaScript module and gives its default export.
 *
 * @param what what it is, for messages: `config`, `scenario`
 * @throws ScenarioErrors for what stands in the way, at its place in the source
 */
export async function loadScript(file: string, source: string, what: string): Promise<Script> {
  const places = new SourcePlaces(file, source)
  const wrong = (message: string, place: Place, hint?: string, cause?: unknown): ScenarioErrors =>
    new ScenarioErrors(file, source, [new ScenarioError(message, place, hint, cause)])
  let module: unknown
  try {
    const jiti = createJiti(import.meta.url, {
      fsCache: false,
      moduleCache: false,
      interopDefault: false,
      alias: aliases(),
    })
    module = await jiti.import(resolve(file))
  } catch (error) {
    if (error instanceof ScenarioErrors) throw error
    const { message, place, hint } = explain(error, file, places)
    throw wrong(message, place, hint, error)
  }
  const data = (module as { readonly default?: unknown } | undefined)?.default
  if (data === undefined) {
    const message = `this ${what} has no default export`
    throw wrong(
      message,
      places.offset(0),
      `write "export default define${what[0]!.toUpperCase()}${what.slice(1)}({ … })"`,
    )
  }
  return { data, places, files: await localImports(resolve(file)) }
}

/** A script's `@trapframe/cli` is the one that runs it, whether or not its folder has one. */
function aliases(): Record<string, string> {
  const index = fileURLToPath(new URL('./index.js', import.meta.url))
  return existsSync(index) ? { '@trapframe/cli': index } : {}
}

interface Explained {
  readonly message: string
  readonly place: Place
  readonly hint?: string
}

/** What went wrong in a script, in words and at its place, without the stack. */
function explain(error: unknown, file: string, places: SourcePlaces): Explained {
  const text = error instanceof Error ? error.message : String(error)
  const first = text.split('\n')[0]!.trim()
  const { source } = places
  const missing = /Cannot find (?:module|package) '([^']+)'/.exec(text)
  if (missing !== null) {
    const specifier = missing[1]!
    const at = Math.max(0, source.indexOf(specifier))
    const hint = /^[./]/.test(specifier)
      ? 'paths are relative to this file'
      : `is it installed? npm install ${specifier}`
    return { message: `"${specifier}" was not found`, place: places.offset(at, specifier.length), hint }
  }
  if (first.startsWith('ParseError: ')) {
    const [, line = '1', column = '0'] = /:(\d+):(\d+)\s*$/.exec(text) ?? []
    const other = text.includes(resolve(file)) ? '' : ` in ${/\n\s*(\S+):\d+:\d+\s*$/.exec(text)?.[1] ?? 'a module'}`
    const message = `this cannot be parsed${other}: ${lowerFirst(first.slice('ParseError: '.length))}`
    return { message, place: other === '' ? at(places, Number(line), Number(column) + 1) : places.offset(0) }
  }
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const found = stack.split('\n').find((line) => line.includes(resolve(file)))
  const [, line = '1', column = '1'] = /:(\d+):(\d+)\)?$/.exec(found ?? '') ?? []
  const name = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : ''
  return { message: `this fails when it is executed: ${name}${first}`, place: at(places, Number(line), Number(column)) }
}

/** A line's column, or its first word where the column is of a line that was rewritten before it ran. */
function at({ file, source }: SourcePlaces, line: number, column: number): Place {
  const text = source.split(/\r?\n/)[line - 1] ?? ''
  const start = column <= text.length ? column : text.length - text.trimStart().length + 1
  return { file, line, column: start, length: /^[\w$]+/.exec(text.slice(start - 1))?.[0].length ?? 1 }
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)
