import type { CodeSize } from '@trapframe/core'
import { Register } from '../decode/iced.js'
import { Cursor } from './cursor.js'
import { type Directive, directiveNamed, directiveNames, makesData, type Settings } from './directive.js'
import { AssemblyError, covering } from './error.js'
import { numericName, parseExpression, type Scope, withoutRegisters } from './expression.js'
import { instructionNames, isInstruction } from './form.js'
import type { Prefixes } from './instruction.js'
import { type Operand, parseOperand } from './operand.js'
import { registerFile, registerNamed } from './registers.js'
import { didYouMean } from './spelling.js'
import type { Repeatable, Statement } from './statement.js'
import type { SymbolTable } from './symbols.js'
import { type Origin, type Token, tokenize } from './token.js'

/** Reads a source line by line: its statements in order, its labels and constants into `symbols`. */
export function parse(source: string, codeSize: CodeSize, origin: Origin, symbols: SymbolTable): Statement[] {
  const lines = source.split('\n').map((line, row) => tokenize(line, row, origin))
  const parser = new Parser(symbols, codeSize, numericLabels(lines))
  for (const line of lines) parser.line(new Cursor(line))
  return parser.statements
}

/** The numbers that are labels somewhere, so that `1b` can be told from a binary 1. */
function numericLabels(lines: readonly Token[][]): Map<string, number> {
  const labels = new Map<string, number>()
  for (const [first, second] of lines) {
    if (first?.type === 'number' && second?.text === ':' && /^[0-9]+$/.test(first.text)) labels.set(first.text, 0)
  }
  return labels
}

class Parser {
  readonly statements: Statement[] = []
  readonly #symbols: SymbolTable
  readonly #settings: Settings
  readonly #numeric: Map<string, number>
  #scope: Scope

  constructor(symbols: SymbolTable, codeSize: CodeSize, numeric: Map<string, number>) {
    this.#numeric = numeric
    this.#symbols = symbols
    this.#settings = { codeSize, defaultRelative: false }
    this.#scope = { parent: '', numeric }
  }

  line(cursor: Cursor): void {
    while (this.#label(cursor)) {}
    if (cursor.atEnd || this.#constant(cursor)) return
    const statement = this.#statement(cursor)
    cursor.expectEnd()
    if (statement !== undefined) this.statements.push(statement)
  }

  /** `name:`, `.local:`, `1:`, and `name` before data. */
  #label(cursor: Cursor): boolean {
    const name = cursor.peek()
    if (name.type !== 'word' && name.type !== 'number') return false
    const colon = cursor.isMark(':', 1)
    if (!colon && (name.type === 'number' || !makesData(cursor.word(1) ?? '') || isKnown(name.text))) return false
    cursor.next()
    if (colon) cursor.next()
    const label = this.#symbols.defineLabel(this.#fullName(name), name.place)
    this.statements.push({ type: 'label', label, place: name.place })
    return true
  }

  #fullName(name: Token): string {
    if (name.type === 'number') {
      const before = this.#numeric.get(name.text)
      if (before === undefined) {
        throw new AssemblyError('syntax', 'a numeric label has digits only and begins its line', name.place)
      }
      this.#numeric.set(name.text, before + 1)
      return numericName(name.text, before)
    }
    if (name.text.startsWith('.') && name.text !== '.') return `${this.#scope.parent}${name.text}`
    if (/^[.$]/.test(name.text)) {
      throw new AssemblyError('syntax', `"${name.text}" is no name for a label`, name.place)
    }
    this.#scope = { ...this.#scope, parent: name.text }
    return name.text
  }

  /** `name equ value`, `name = value`, `.set name, value`. */
  #constant(cursor: Cursor): boolean {
    const set = cursor.word() === '.set' || cursor.word() === '.equ'
    if (!set && cursor.word(1) !== 'equ' && !cursor.isMark('=', 1)) return false
    if (set) cursor.next()
    const name = cursor.expect('word', 'a name should stand here')
    if (set) cursor.expectMark(',', 'a "," should follow the name')
    else cursor.next()
    const value = withoutRegisters(parseExpression(cursor, this.#scope))
    cursor.expectEnd()
    const constant = this.#symbols.defineConstant(name.text, value, name.place)
    this.statements.push({ type: 'constant', constant, place: name.place })
    return true
  }

  #statement(cursor: Cursor): Statement | undefined {
    const first = cursor.peek()
    if (!cursor.takeWord('times')) return this.#repeatable(cursor)
    const count = withoutRegisters(parseExpression(cursor, this.#scope))
    const body = this.#repeatable(cursor)
    if (body === undefined || !isRepeatable(body)) {
      throw new AssemblyError('syntax', 'only an instruction or data can be repeated', count.place)
    }
    return { type: 'times', count, body, place: covering(first.place, body.place) }
  }

  #repeatable(cursor: Cursor): Statement | undefined {
    const word = cursor.word()
    const directive: Directive | undefined = word === undefined ? undefined : directiveNamed(word)
    if (directive === undefined) return this.#instruction(cursor)
    return directive(cursor, this.#scope, this.#settings, cursor.next())
  }

  #instruction(cursor: Cursor): Repeatable {
    const first = cursor.peek().place
    const prefixes = parsePrefixes(cursor)
    const token = cursor.peek()
    if (token.type !== 'word') throw cursor.unexpected('an instruction should stand here')
    const name = token.text.toLowerCase()
    if (!isInstruction(name)) throw unknownInstruction(token, cursor)
    cursor.next()
    const operands: Operand[] = []
    if (!cursor.atEnd) {
      do operands.push(parseOperand(cursor, this.#scope))
      while (cursor.takeMark(','))
    }
    const { codeSize, defaultRelative } = this.#settings
    const place = covering(first, cursor.previous().place)
    const written = { name, prefixes, operands, codeSize, defaultRelative, namePlace: token.place, place }
    return { type: 'instruction', written, place }
  }
}

function isKnown(word: string): boolean {
  const name = word.toLowerCase()
  return directiveNamed(name) !== undefined || name === 'times' || PREFIXES.has(name) || isInstruction(name)
}

function isRepeatable(statement: Statement): statement is Repeatable {
  return statement.type === 'instruction' || statement.type === 'data' || statement.type === 'reserve'
}

const PREFIXES: ReadonlyMap<string, Partial<Prefixes>> = new Map<string, Partial<Prefixes>>([
  ['lock', { lock: true }],
  ['rep', { rep: true }],
  ['repe', { rep: true }],
  ['repz', { rep: true }],
  ['repne', { repne: true }],
  ['repnz', { repne: true }],
  ['bnd', { repne: true }],
  ['xacquire', { repne: true }],
  ['xrelease', { rep: true }],
  ['notrack', { notrack: true }],
  ['o16', { operandSize: 16 }],
  ['data16', { operandSize: 16 }],
  ['o32', { operandSize: 32 }],
  ['data32', { operandSize: 32 }],
  ['o64', { operandSize: 64 }],
  ['data64', { operandSize: 64 }],
  ['rex.w', { operandSize: 64 }],
  ['a16', { addressSize: 16 }],
  ['addr16', { addressSize: 16 }],
  ['a32', { addressSize: 32 }],
  ['addr32', { addressSize: 32 }],
  ['a64', { addressSize: 64 }],
])

function parsePrefixes(cursor: Cursor): Prefixes {
  const prefixes: Prefixes = {
    lock: false,
    rep: false,
    repne: false,
    notrack: false,
    segment: undefined,
    operandSize: undefined,
    addressSize: undefined,
  }
  for (;;) {
    const word = cursor.word()
    const found = word === undefined ? undefined : (PREFIXES.get(word) ?? segmentPrefix(word))
    if (found === undefined) return prefixes
    Object.assign(prefixes, found)
    cursor.next()
  }
}

/** `fs lodsb`. */
function segmentPrefix(word: string): Partial<Prefixes> | undefined {
  const register = registerNamed(word) ?? Register.None
  return register !== Register.None && registerFile(register) === 'segment' ? { segment: register } : undefined
}

function unknownInstruction(token: Token, cursor: Cursor): AssemblyError {
  const name = token.text.toLowerCase()
  if (name.startsWith('.')) {
    const hint = didYouMean(name, directiveNames())
    return new AssemblyError('unknown-instruction', `there is no directive "${token.text}"`, token.place, hint)
  }
  return new AssemblyError(
    'unknown-instruction',
    `there is no instruction "${token.text}"`,
    token.place,
    instructionHint(token.text, cursor.peek(1).type === 'end'),
  )
}

function instructionHint(written: string, alone: boolean): string | undefined {
  const name = written.toLowerCase()
  const suffixed = /^(.+)[bwlq]$/.exec(name)?.[1]
  if (suffixed !== undefined && isInstruction(suffixed)) {
    return `Intel syntax has no suffix: write "${suffixed}", with byte, word, dword or qword before memory`
  }
  const known = (word: string) => isInstruction(word) || directiveNamed(word) !== undefined
  const similar = didYouMean(name, [...instructionNames(), ...directiveNames()], known)
  return similar ?? (alone && registerNamed(name) === undefined ? `a label ends in a colon: "${written}:"` : undefined)
}
