import { AssemblyError } from './error.js'
import type { Token } from './token.js'

const LIMIT = 1n << 64n

/** Each way to write a number, with what JavaScript's `BigInt` takes for it. First match wins. */
const NOTATIONS: readonly [RegExp, (digits: string) => string][] = [
  [/^0x([0-9a-f]+)$/, (digits) => `0x${digits}`],
  [/^([0-9][0-9a-f]*)h$/, (digits) => `0x${digits}`],
  [/^0b([01]+)$/, (digits) => `0b${digits}`],
  [/^([01]+)b$/, (digits) => `0b${digits}`],
  [/^0o([0-7]+)$/, (digits) => `0o${digits}`],
  [/^([0-7]+)[oq]$/, (digits) => `0o${digits}`],
  [/^([0-9]+)d?$/, (digits) => digits],
]

/**
 * The value of a number token: decimal, `0x1f`, `1fh`, `0b101`, `101b`, `0o17`, `17q`; underscores may separate digits.
 *
 * @throws AssemblyError for anything else and for more than 64 bits
 */
export function numberValue(token: Token): bigint {
  const text = token.text.toLowerCase().replaceAll('_', '')
  for (const [pattern, toBigInt] of NOTATIONS) {
    const digits = pattern.exec(text)?.[1]
    if (digits === undefined) continue
    const value = digits.length > 64 ? LIMIT : BigInt(toBigInt(digits))
    if (value >= LIMIT) throw new AssemblyError('number', `${shortened(token.text)} has more than 64 bits`, token.place)
    return value
  }
  throw new AssemblyError(
    'number',
    `"${shortened(token.text)}" is not a number`,
    token.place,
    /[a-f]/.test(text) && /^[0-9a-f]+$/.test(text) ? `hexadecimal is written 0x${text}` : undefined,
  )
}

/** `'a'` as a number: up to 8 bytes, the first in the low byte. */
export function characterValue(token: Token): bigint {
  const bytes = new TextEncoder().encode(token.text)
  if (bytes.length === 0 || bytes.length > 8) {
    throw new AssemblyError('number', 'a character constant has 1 to 8 bytes', token.place)
  }
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text)
