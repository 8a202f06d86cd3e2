import type { Place } from '@trapframe/core'
import { AssemblyError } from './error.js'

export type TokenType = 'word' | 'number' | 'string' | 'mark' | 'end'

export interface Token {
  readonly type: TokenType
  /** As written; of a string, what is between the quotes. Of the end, empty. */
  readonly text: string
  readonly place: Place
}

/** Where a text stands: what `Place`s of its first line's first character say. */
export interface Origin {
  readonly file?: string
  /** Line of the first line, from 1. */
  readonly line: number
  /** Column of the first character of every line, from 1. */
  readonly column: number
}

const MARKS = [
  '<<',
  '>>',
  '+',
  '-',
  '*',
  '/',
  '%',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '~',
  '|',
  '&',
  '^',
  '=',
  '!',
]
const BLANK = /[ \t\r\f\v]*/y
const WORD = /[A-Za-z_.$?@][A-Za-z0-9_.$?@]*/y
const NUMBER = /[0-9][A-Za-z0-9_.]*/y

/**
 * The tokens of one line, without its comment (`;`, `#` or `//`), always with an `end` after the last.
 *
 * @param row number of the line in its text, from 0
 * @throws AssemblyError for a character that no token begins with and for an open quote
 */
export function tokenize(line: string, row: number, origin: Origin): Token[] {
  const tokens: Token[] = []
  const place = (at: number, length: number): Place => ({
    ...(origin.file === undefined ? {} : { file: origin.file }),
    line: origin.line + row,
    column: origin.column + at,
    length: Math.max(1, length),
  })
  let at = 0
  for (;;) {
    at = skip(BLANK, line, at)
    const character = line[at]
    if (character === undefined || character === ';' || character === '#' || line.startsWith('//', at)) break
    const start = at
    let type: TokenType = 'mark'
    if (character === '"' || character === "'") {
      at = line.indexOf(character, start + 1)
      if (at < 0) throw new AssemblyError('syntax', 'the quote is not closed', place(start, line.length - start))
      at++
      tokens.push({ type: 'string', text: line.slice(start + 1, at - 1), place: place(start, at - start) })
      continue
    }
    if (skip(WORD, line, at) > at) {
      type = 'word'
      at = skip(WORD, line, at)
    } else if (skip(NUMBER, line, at) > at) {
      type = 'number'
      at = skip(NUMBER, line, at)
    } else {
      const mark = MARKS.find((candidate) => line.startsWith(candidate, start))
      if (mark === undefined) {
        const code = line.codePointAt(start)!
        const shown = code < 0x20 ? `U+${code.toString(16).padStart(4, '0')}` : String.fromCodePoint(code)
        throw new AssemblyError('syntax', `"${shown}" means nothing here`, place(start, 1))
      }
      at += mark.length
    }
    tokens.push({ type, text: line.slice(start, at), place: place(start, at - start) })
  }
  const last = tokens.at(-1)?.place
  const end = last === undefined ? at : last.column - origin.column + (last.length ?? 1)
  tokens.push({ type: 'end', text: '', place: place(end, 1) })
  return tokens
}

function skip(pattern: RegExp, line: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(line) ? pattern.lastIndex : at
}
