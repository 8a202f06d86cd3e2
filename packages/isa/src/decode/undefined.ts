import type { CodeSize } from '@trapframe/core'
import { DecoderError, Decoder as Iced } from './iced.js'
import { emptyPrefixes, readPrefixes } from './prefixes.js'

const LONGEST = 15
const prefixes = emptyPrefixes()

/**
 * Whether bytes that end too early for iced are an undefined opcode whatever follows them. iced reads a ModRM byte even
 * for opcodes that do not exist, such as 06h in 64-bit mode; hardware raises #UD at once, also at the end of a page.
 *
 * @param options iced's `DecoderOptions`
 */
export function undefinedWhateverFollows(bytes: Uint8Array, codeSize: CodeSize, options: number): boolean {
  const { end } = readPrefixes(bytes, codeSize, prefixes)
  if (end >= bytes.length || bytes.length - end > 3 || openEnded(bytes, end)) return false
  const known = withoutRepetition(bytes, end)
  for (let next = 0; next < 256; next++) if (validLength([...known, next], codeSize, options) > 0) return false
  return true
}

/**
 * Whether 15 bytes that iced rejects are the beginning of a longer instruction: without the prefixes that say nothing
 * new they are one, and the prefixes make it longer than 15.
 */
export function runsPastFifteen(bytes: Uint8Array, codeSize: CodeSize, options: number): boolean {
  const { end } = readPrefixes(bytes, codeSize, prefixes)
  if (end === bytes.length) return true
  const needed = withoutRepetition(bytes, end)
  const removed = bytes.length - needed.length
  const length = validLength(needed, codeSize, options)
  if (length > 0) return length + removed > LONGEST
  const start = Uint8Array.from(needed)
  const error = outcome(start, codeSize, options).error
  return removed > 0 && error === DecoderError.NoMoreBytes && !undefinedWhateverFollows(start, codeSize, options)
}

/** VEX, EVEX, XOP and 3DNow! are told apart only further on. */
function openEnded(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at]!
  if (first === 0x0f) return bytes[at + 1] === 0x0f
  return first === 0xc4 || first === 0xc5 || first === 0x62 || first === 0x8f
}

/** The bytes with only those prefixes that choose opcode or length, each once. LOCK never makes an opcode defined. */
function withoutRepetition(bytes: Uint8Array, end: number): number[] {
  const given = bytes.subarray(0, end)
  const kept = [0x66, 0x67].filter((prefix) => given.includes(prefix))
  const repeat = Math.max(given.lastIndexOf(0xf2), given.lastIndexOf(0xf3))
  if (repeat >= 0) kept.push(given[repeat]!)
  if (prefixes.rex !== 0) kept.push(prefixes.rex)
  return [...kept, ...bytes.subarray(end)]
}

/** Length of the instruction that begins so, zeros following; 0 where it is none. */
function validLength(start: readonly number[], codeSize: CodeSize, options: number): number {
  const bytes = new Uint8Array(LONGEST)
  bytes.set(start)
  const { error, length } = outcome(bytes, codeSize, options)
  return error === DecoderError.None ? length : 0
}

function outcome(bytes: Uint8Array, codeSize: CodeSize, options: number): { error: DecoderError; length: number } {
  const decoder = new Iced(codeSize, bytes, options)
  const instruction = decoder.decode()
  const result = { error: decoder.lastError, length: instruction.length }
  instruction.free()
  decoder.free()
  return result
}
