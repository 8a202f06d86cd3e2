/** Reading parts of a JSON value, with messages that name the part. */

export type Json = Readonly<Record<string, unknown>>

export function object(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw new Error(`${what} is no object`)
}

export function list(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new Error(`${what} is no list`)
}

export function text(value: unknown, what: string): string {
  if (typeof value === 'string') return value
  throw new Error(`${what} is no text`)
}

export function bool(value: unknown, what: string): boolean {
  if (typeof value === 'boolean') return value
  throw new Error(`${what} is neither true nor false`)
}

/** A JSON integer in a range. */
export function count(value: unknown, what: string, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value
  throw new Error(`${what} is no number from 0 to ${most}: ${JSON.stringify(value)}`)
}

/** One of some words. */
export function word<T extends string>(value: unknown, what: string, words: readonly T[]): T {
  if (words.includes(value as T)) return value as T
  throw new Error(`${what} is none of ${words.join(', ')}: ${JSON.stringify(value)}`)
}

export function hexBytes(value: unknown, what: string): Uint8Array {
  const digits = text(value, what)
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) throw new Error(`${what} is no hex byte string`)
  return Uint8Array.from(Buffer.from(digits, 'hex'))
}
