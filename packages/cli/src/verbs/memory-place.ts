import { z } from 'zod'
import { integer, oneOrMore, quantity } from '../scenario/schema.js'
import type { VerbContext } from './slots.js'

const WIDTHS = { u8: 1, u16: 2, u32: 4, u64: 8 } as const
type Width = keyof typeof WIDTHS

const BYTE_LIST = z.union([
  z.string().regex(/^\s*[0-9a-fA-F]{2}(\s*[0-9a-fA-F]{2})*\s*$/, {
    message: 'bytes are pairs of hexadecimal digits: "de ad be ef"',
  }),
  z.array(integer(0, 255)).min(1),
])

/** A place in memory and what is there: `{ address: counter, u64: 1 }`, `{ address: frame, u64: [0, handler, 0x10] }`. */
export const MEMORY_PLACE = z
  .strictObject({
    address: quantity.describe('of the first byte'),
    bytes: BYTE_LIST.describe('"de ad be ef" or a list of numbers').optional(),
    u8: oneOrMore(quantity).describe('bytes, little-endian').optional(),
    u16: oneOrMore(quantity).describe('words of 2 bytes, little-endian').optional(),
    u32: oneOrMore(quantity).describe('words of 4 bytes, little-endian').optional(),
    u64: oneOrMore(quantity).describe('words of 8 bytes, little-endian').optional(),
  })
  .refine((place) => Object.keys(place).length === 2, {
    message: 'a place in memory needs one of bytes, u8, u16, u32 and u64',
  })

export type MemoryPlace = z.output<typeof MEMORY_PLACE>

/** Address and bytes of the `i`th place in a verb's list. */
export function resolvePlace(
  place: MemoryPlace,
  i: number,
  context: VerbContext,
): { address: bigint; bytes: Uint8Array } {
  const address = context.address(place.address, [i, 'address'])
  const width = (Object.keys(WIDTHS) as Width[]).find((key) => place[key] !== undefined)
  if (width === undefined) return { address, bytes: bytesOf(place.bytes!) }
  const list = place[width]!
  const parts = list.map((value, n) =>
    littleEndian(context.address(value, list.length === 1 ? [i, width] : [i, width, n]), WIDTHS[width]),
  )
  return { address, bytes: Uint8Array.from(parts.flatMap((part) => [...part])) }
}

function bytesOf(written: string | readonly number[]): Uint8Array {
  return typeof written === 'string'
    ? Uint8Array.from(written.replace(/\s+/g, '').match(/../g)!, (pair) => Number.parseInt(pair, 16))
    : Uint8Array.from(written)
}

function littleEndian(value: bigint, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))
}
