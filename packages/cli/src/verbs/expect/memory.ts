import type { Cpu } from '@trapframe/core'
import { z } from 'zod'
import { hex } from '../../session/symbols.js'
import { MEMORY_PLACE, resolvePlace } from '../memory-place.js'
import { expectationVerb } from '../slots.js'

/** `memory: [{ address: counter, u64: 1 }]`. */
export const MEMORY = expectationVerb({
  summary: 'bytes in memory at the end: address, and bytes, u8, u16, u32 or u64',
  schema: z.array(MEMORY_PLACE).min(1),
  bind(places, context) {
    const wanted = places.map((place, i) => resolvePlace(place, i, context))
    return {
      verdict() {
        const found = wanted.map(({ address, bytes }) => ({
          address,
          bytes,
          now: read(context.cpu, address, bytes.length),
        }))
        const wrong = found.filter(({ bytes, now }) => digits(bytes) !== digits(now))
        return {
          holds: wrong.length === 0,
          expected: wanted.map(({ address, bytes }) => `${digits(bytes)} at ${hex(address)}`).join(', '),
          actual: (wrong.length > 0 ? wrong : found)
            .map(({ address, now }) => `${digits(now)} at ${hex(address)}`)
            .join(', '),
        }
      },
    }
  },
})

/** Null where nothing is mapped. */
function read(cpu: Cpu, address: bigint, length: number): Uint8Array | null {
  try {
    return cpu.space.read(address, length)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

const digits = (bytes: Uint8Array | null): string =>
  bytes === null ? 'nothing mapped' : Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
