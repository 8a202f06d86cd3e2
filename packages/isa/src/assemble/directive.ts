import type { CodeSize } from '@trapframe/core'
import type { Cursor } from './cursor.js'
import { AssemblyError, covering } from './error.js'
import { parseExpression, type Scope, withoutRegisters } from './expression.js'
import type { DataItem, Statement } from './statement.js'
import type { Token } from './token.js'

/** What directives change for the lines after them. */
export interface Settings {
  codeSize: CodeSize
  defaultRelative: boolean
}

/** Reads what follows a directive's name; the statement, or undefined where it only changes settings. */
export type Directive = (cursor: Cursor, scope: Scope, settings: Settings, name: Token) => Statement | undefined

const NOP = 0x90

/** Units of data by directive, in bytes. */
const UNITS: Readonly<Record<string, number>> = {
  db: 1,
  dw: 2,
  dd: 4,
  dq: 8,
  '.byte': 1,
  '.word': 2,
  '.short': 2,
  '.value': 2,
  '.2byte': 2,
  '.long': 4,
  '.int': 4,
  '.4byte': 4,
  '.quad': 8,
  '.8byte': 8,
}

const RESERVED_UNITS: Readonly<Record<string, number>> = {
  resb: 1,
  resw: 2,
  resd: 4,
  resq: 8,
  '.skip': 1,
  '.space': 1,
  '.zero': 1,
}

const data =
  (unit: number): Directive =>
  (cursor, scope, _, name) => {
    const items: DataItem[] = []
    do items.push(dataItem(cursor, scope, unit))
    while (cursor.takeMark(','))
    return { type: 'data', unit, items, place: covering(name.place, cursor.previous().place) }
  }

/** A string that is a whole item is its bytes, filled up to whole units; elsewhere it is a character constant. */
function dataItem(cursor: Cursor, scope: Scope, unit: number): DataItem {
  const follows = cursor.peek(1)
  const whole = follows.type === 'end' || (follows.type === 'mark' && follows.text === ',')
  if (cursor.peek().type !== 'string' || !whole) return withoutRegisters(parseExpression(cursor, scope))
  const bytes = new TextEncoder().encode(cursor.next().text)
  const filled = new Uint8Array(Math.ceil(bytes.length / unit) * unit)
  filled.set(bytes)
  return { type: 'text', bytes: filled }
}

const text =
  (end: string): Directive =>
  (cursor, _scope, _settings, name) => {
    const items: DataItem[] = []
    do {
      const string = cursor.expect('string', 'a string should stand here')
      items.push({ type: 'text', bytes: new TextEncoder().encode(unescaped(string.text) + end) })
    } while (cursor.takeMark(','))
    return { type: 'data', unit: 1, items, place: covering(name.place, cursor.previous().place) }
  }

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' }

const unescaped = (string: string) => string.replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter)

const reserve =
  (unit: number): Directive =>
  (cursor, scope, _, name) => {
    const count = withoutRegisters(parseExpression(cursor, scope))
    return { type: 'reserve', unit, count, place: covering(name.place, count.place) }
  }

const align =
  (logarithm: boolean, fill: number): Directive =>
  (cursor, scope, _, name) => {
    const boundary = withoutRegisters(parseExpression(cursor, scope))
    const given = cursor.takeMark(',') ? withoutRegisters(parseExpression(cursor, scope)) : fill
    return { type: 'align', boundary, logarithm, fill: given, place: covering(name.place, cursor.previous().place) }
  }

const mode =
  (codeSize: CodeSize): Directive =>
  (_cursor, _scope, settings) => {
    settings.codeSize = codeSize
    return undefined
  }

const bits: Directive = (cursor, _, settings) => {
  const size = cursor.expect('number', '16, 32 or 64 should stand here')
  if (size.text !== '16' && size.text !== '32' && size.text !== '64') {
    throw new AssemblyError('syntax', 'code has 16, 32 or 64 bits', size.place)
  }
  settings.codeSize = Number(size.text) as CodeSize
  return undefined
}

const defaults: Directive = (cursor, _, settings) => {
  const word = cursor.word()
  if (word !== 'rel' && word !== 'abs') throw cursor.unexpected('"rel" or "abs" should stand here')
  cursor.next()
  settings.defaultRelative = word === 'rel'
  return undefined
}

/** For listings and linkers that are not here; the whole line is read and left. */
const ignored: Directive = (cursor) => {
  while (!cursor.atEnd) cursor.next()
  return undefined
}

const refused =
  (why: string): Directive =>
  (_cursor, _scope, _settings, name) => {
    throw new AssemblyError('syntax', `"${name.text}" is not taken`, name.place, why)
  }

const DIRECTIVES: ReadonlyMap<string, Directive> = new Map<string, Directive>([
  ...Object.entries(UNITS).map(([name, unit]) => [name, data(unit)] as const),
  ...Object.entries(RESERVED_UNITS).map(([name, unit]) => [name, reserve(unit)] as const),
  ['.ascii', text('')],
  ['.asciz', text('\0')],
  ['.string', text('\0')],
  ['align', align(false, NOP)],
  ['alignb', align(false, 0)],
  ['.align', align(false, NOP)],
  ['.balign', align(false, NOP)],
  ['.p2align', align(true, NOP)],
  ['bits', bits],
  ['use16', mode(16)],
  ['use32', mode(32)],
  ['use64', mode(64)],
  ['.code16', mode(16)],
  ['.code32', mode(32)],
  ['.code64', mode(64)],
  ['default', defaults],
  ['.intel_syntax', ignored],
  ['.text', ignored],
  ['.globl', ignored],
  ['.global', ignored],
  ['global', ignored],
  ['.type', ignored],
  ['.size', ignored],
  ['org', refused('the address of a program is given beside it')],
  ['.org', refused('the address of a program is given beside it')],
  ['section', refused('a program is one block of memory')],
  ['.section', refused('a program is one block of memory')],
  ['.att_syntax', refused('write Intel syntax')],
  ['extern', refused('symbols are given beside the program')],
  ['.extern', refused('symbols are given beside the program')],
])

/** The directive of that name, in lower case, or undefined. */
export function directiveNamed(name: string): Directive | undefined {
  return DIRECTIVES.get(name)
}

/** Whether a word can follow a label without a colon, as in `gdt dq 0`. */
export function makesData(name: string): boolean {
  return name === 'times' || Object.hasOwn(UNITS, name) || Object.hasOwn(RESERVED_UNITS, name)
}

/** Names of all directives, for suggestions. */
export function directiveNames(): string[] {
  return [...DIRECTIVES.keys(), 'times', 'equ']
}
