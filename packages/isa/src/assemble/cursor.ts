import { AssemblyError } from './error.js'
import type { Token, TokenType } from './token.js'

/** A line's tokens, read from left to right. */
export class Cursor {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  /** The token `ahead` places on; past the last there is only the end. */
  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]!
  }

  next(): Token {
    const token = this.peek()
    if (token.type !== 'end') this.#at++
    return token
  }

  /** The token just read. */
  previous(): Token {
    return this.#tokens[Math.max(0, this.#at - 1)]!
  }

  get atEnd(): boolean {
    return this.peek().type === 'end'
  }

  isMark(text: string, ahead = 0): boolean {
    const token = this.peek(ahead)
    return token.type === 'mark' && token.text === text
  }

  /** Reads the mark if it is next. */
  takeMark(text: string): boolean {
    if (!this.isMark(text)) return false
    this.#at++
    return true
  }

  /** The next word in lower case, or undefined where no word is next. */
  word(ahead = 0): string | undefined {
    const token = this.peek(ahead)
    return token.type === 'word' ? token.text.toLowerCase() : undefined
  }

  /** Reads the word, whatever its case, if it is next. */
  takeWord(text: string): boolean {
    if (this.word() !== text) return false
    this.#at++
    return true
  }

  /** @throws AssemblyError when something else is next */
  expectMark(text: string, why: string): Token {
    if (!this.isMark(text)) throw this.unexpected(why)
    return this.next()
  }

  /** @throws AssemblyError when something else is next */
  expect(type: TokenType, why: string): Token {
    if (this.peek().type !== type) throw this.unexpected(why)
    return this.next()
  }

  /** @throws AssemblyError unless the line ends here */
  expectEnd(): void {
    if (!this.atEnd) throw this.unexpected('the line should end here')
  }

  /** The error for a next token that does not belong: `why` says what was wanted. */
  unexpected(why: string): AssemblyError {
    const token = this.peek()
    const met = token.type === 'end' ? 'the line ends' : `"${token.text}" stands here`
    return new AssemblyError('syntax', `${why}, but ${met}`, token.place)
  }
}
