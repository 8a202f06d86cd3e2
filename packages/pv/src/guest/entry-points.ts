import { ENTRY_POINT_BYTES, ENTRY_POINTS } from './memory.js'

/** Where Xen enters the guest's kernel: a place for each vector of the trap table, and one for each callback. */

/** The callbacks, with their numbers in the public ABI (CALLBACKTYPE_…). */
export const CALLBACK_TYPES = { event: 0, failsafe: 1, syscall: 2, nmi: 4, sysenter: 5, syscall32: 7 } as const
export type CallbackName = keyof typeof CALLBACK_TYPES

/** The callbacks in the order of their entry points. */
export const CALLBACK_NAMES = Object.keys(CALLBACK_TYPES) as readonly CallbackName[]

const VECTORS = 256

/** The entry point of a vector, 0–255. */
export const vectorEntry = (vector: number): bigint => ENTRY_POINTS + BigInt(vector) * ENTRY_POINT_BYTES
/** The entry point of a callback. */
export const callbackEntry = (name: CallbackName): bigint => vectorEntry(VECTORS + CALLBACK_NAMES.indexOf(name))

export const ENTRY_POINT_COUNT = VECTORS + CALLBACK_NAMES.length
export const ENTRY_POINTS_END = vectorEntry(ENTRY_POINT_COUNT)

/** Which way Xen entered the guest's kernel. */
export type EntryPoint =
  | { readonly kind: 'trap'; readonly vector: number }
  | { readonly kind: 'callback'; readonly name: CallbackName }

/** The entry point at an address; null if there is none. */
export function entryPointAt(address: bigint): EntryPoint | null {
  const offset = address - ENTRY_POINTS
  if (offset < 0n || address >= ENTRY_POINTS_END || offset % ENTRY_POINT_BYTES !== 0n) return null
  const index = Number(offset / ENTRY_POINT_BYTES)
  return index < VECTORS
    ? { kind: 'trap', vector: index }
    : { kind: 'callback', name: CALLBACK_NAMES[index - VECTORS]! }
}
