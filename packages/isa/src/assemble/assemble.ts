import type { CodeSize } from '@trapframe/core'
import { joined } from './emit.js'
import { AssemblyError } from './error.js'
import { layOut } from './layout.js'
import { parse } from './parse.js'
import { SymbolTable } from './symbols.js'

export interface AssembleOptions {
  /** Address of the first byte. */
  readonly origin: bigint
  /** Mode of the code until a `bits` directive changes it; 64 if left out. */
  readonly codeSize?: CodeSize
  /** Names from outside: addresses of other programs, constants. Labels of the source hide them. */
  readonly symbols?: Readonly<Record<string, bigint>>
  /** File of the source, for errors. */
  readonly file?: string
  /** Line of the source's first line in that file, from 1. */
  readonly line?: number
  /** Column of the first character of each line, from 1: one more than the indentation of a YAML block. */
  readonly column?: number
}

/** A stretch of bytes that one statement made. */
export interface ProgramLine {
  readonly address: bigint
  /** In bytes. */
  readonly length: number
  /** Line in the file, counted as errors count it. */
  readonly line: number
  /** The statement as written, without its label and comment. */
  readonly text: string
}

export interface Program {
  readonly origin: bigint
  readonly bytes: Uint8Array
  /** Addresses by name; `.local` labels as `parent.local`. */
  readonly labels: ReadonlyMap<string, bigint>
  /** In the order of addresses; statements without bytes are not in it. */
  readonly lines: readonly ProgramLine[]
}

const LONGEST_SOURCE = 1 << 20

/**
 * Assembles Intel syntax as NASM and GAS write it: labels, size keywords, `db` and its like, `equ`, `times`, `align`,
 * `bits`. A bare name is its address, as in NASM; memory takes brackets. Of several encodings the shortest is taken.
 *
 * @throws AssemblyError and nothing else, whatever the source: its place, what is wrong, and often what to write
 */
export function assemble(source: string, options: AssembleOptions): Program {
  const { origin, codeSize = 64, symbols: given = {}, file, line = 1, column = 1 } = options
  const start = { ...(file === undefined ? {} : { file }), line, column }
  if (source.length > LONGEST_SOURCE) throw new AssemblyError('too-big', 'the source has more than 1 MiB', start)
  const symbols = new SymbolTable(given)
  const statements = parse(source, codeSize, start, symbols)
  const placed = layOut(statements, symbols, origin)

  const rows = source.split('\n')
  const lines: ProgramLine[] = []
  for (const { statement, address, bytes } of placed) {
    if (bytes.length === 0) continue
    const { place } = statement
    const from = place.column - column
    const text = rows[place.line - line]!.slice(from, from + (place.length ?? 1))
    lines.push({ address, length: bytes.length, line: place.line, text })
  }
  const labels = new Map<string, bigint>()
  for (const { name, address } of symbols.labels()) if (!name.includes(':')) labels.set(name, address ?? origin)
  const length = lines.reduce((sum, entry) => sum + entry.length, 0)
  return {
    origin,
    bytes: joined(
      placed.map(({ bytes }) => bytes),
      length,
    ),
    labels,
    lines,
  }
}
