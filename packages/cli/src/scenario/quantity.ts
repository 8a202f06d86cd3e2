import { suggestion } from '../command/suggest.js'

/**
 * A number as scenarios write it: an integer of YAML, digits with underscores, the name of a label, or sums of those:
 * `0x7fff_0000`, `syscall_entry`, `handler+8`, `stack_end - 0x40`.
 */
export type Quantity = readonly Term[]

interface Term {
  readonly sign: 1n | -1n
  readonly value: bigint | string
}

/** What is wrong with a quantity. */
export class QuantityError extends Error {
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

const LABEL = /^[A-Za-z_.$?@][A-Za-z0-9_.$?@]*$/
const NUMBER = /^(?:0x[0-9a-f]+|0b[01]+|0o[0-7]+|[0-9]+)$/

/** @throws QuantityError for what is neither a number nor a label nor a sum of those */
export function parseQuantity(input: unknown): Quantity {
  if (typeof input === 'bigint') return [{ sign: 1n, value: checkWidth(input, String(input)) }]
  if (typeof input === 'number') throw new QuantityError(`${input} is not a whole number`)
  if (typeof input !== 'string') throw new QuantityError('a number or a label should stand here')
  const parts = input.split(/([+-])/).map((part) => part.trim())
  if (parts[0] === '' && parts.length > 1) parts.shift()
  else parts.unshift('+')
  const terms: Term[] = []
  for (let i = 0; i < parts.length; i += 2) {
    const sign = parts[i] === '-' ? -1n : 1n
    terms.push({ sign, value: parseTerm(parts[i + 1] ?? '', input) })
  }
  return terms
}

function parseTerm(text: string, whole: string): bigint | string {
  const digits = text.toLowerCase().replaceAll('_', '')
  if (/^[0-9]/.test(text)) {
    if (NUMBER.test(digits)) return checkWidth(BigInt(digits), text)
    throw new QuantityError(
      `"${text}" is not a number`,
      /^[0-9a-f]+h?$/.test(digits) ? `hexadecimal is written 0x${digits.replace(/h$/, '')}` : undefined,
    )
  }
  if (LABEL.test(text)) return text
  throw new QuantityError(`"${whole}" is neither a number nor a label`)
}

function checkWidth(value: bigint, text: string): bigint {
  if (value >= 1n << 64n || value < -(1n << 63n)) throw new QuantityError(`${text} has more than 64 bits`)
  return value
}

/** The value, 64 bits unsigned. @throws QuantityError for a label that does not exist */
export function evaluate(quantity: Quantity, labels: ReadonlyMap<string, bigint>): bigint {
  let sum = 0n
  for (const { sign, value } of quantity) {
    const number = typeof value === 'bigint' ? value : labels.get(value)
    if (number === undefined) {
      throw new QuantityError(`unknown label "${value}"`, suggestion(String(value), labels.keys(), 'labels'))
    }
    sum += sign * number
  }
  return BigInt.asUintN(64, sum)
}

/** A quantity as scenarios write it. */
export function quantityText(quantity: Quantity): string {
  return quantity
    .map(({ sign, value }, n) => {
      const text = typeof value === 'bigint' ? termText(value) : value
      return n === 0 ? `${sign < 0n ? '-' : ''}${text}` : `${sign < 0n ? '-' : '+'}${text}`
    })
    .join('')
}

const termText = (value: bigint): string =>
  value < 0n ? `-0x${(-value).toString(16)}` : value < 10n ? String(value) : `0x${value.toString(16)}`
