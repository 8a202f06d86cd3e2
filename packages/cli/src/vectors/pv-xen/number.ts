import {
  ANCHORS,
  type Anchor,
  CALLBACK_NAMES,
  type CallbackName,
  callbackEntry,
  ENTRY_POINT_BYTES,
  entryPointAt,
  IRET_HYPERCALL_RETURN,
  sharedField,
  vectorEntry,
} from '@trapframe/pv'

/** Numbers of the recordings: hex, or an address relative to a named place of the guest. */

const HEX = /^0x[0-9a-f]{1,16}$/
const RELATIVE = /^([a-zA-Z]+(?::[a-z0-9]+)?)(?:([+-])(0x[0-9a-f]{1,16}))?$/
const VECTOR = /^0x[0-9a-f]{1,2}$/

/** A number as recorded. @throws Error naming `what` when it is none */
export function number(value: unknown, what: string): bigint {
  if (typeof value === 'string') {
    if (HEX.test(value)) return BigInt(value)
    const match = RELATIVE.exec(value)
    const base = match === null ? null : placeOf(match[1]!)
    if (base !== null) {
      const distance = match![3] === undefined ? 0n : BigInt(match![3])
      return BigInt.asUintN(64, match![2] === '-' ? base - distance : base + distance)
    }
  }
  throw new Error(`${what} is no number: ${JSON.stringify(value)}`)
}

/** The address of a named place; null for a name that is none. */
function placeOf(name: string): bigint | null {
  if (Object.hasOwn(ANCHORS, name)) return ANCHORS[name as Anchor]
  if (name === 'iretHypercallReturn') return IRET_HYPERCALL_RETURN
  if (name === 'upcallMask') return sharedField('evtchn_upcall_mask')
  if (!name.startsWith('handler:')) return null
  const of = name.slice('handler:'.length)
  if (VECTOR.test(of)) return vectorEntry(Number(of))
  return CALLBACK_NAMES.includes(of as CallbackName) ? callbackEntry(of as CallbackName) : null
}

/** How far from a named place an address may be to be called by it. */
const PAGE = 0x1000n

/** A number as the recordings would have it. `like` is a recorded one, whose place is preferred. */
export function describe(value: bigint, like: string | null = null): string {
  if (value === IRET_HYPERCALL_RETURN) return 'iretHypercallReturn'
  const entry = entryPointAt(value - (value % ENTRY_POINT_BYTES))
  if (entry !== null) {
    const name = `handler:${entry.kind === 'trap' ? hex(BigInt(entry.vector)) : entry.name}`
    return relative(name, value % ENTRY_POINT_BYTES)
  }
  const preferred = like === null ? undefined : RELATIVE.exec(like)?.[1]
  const base = preferred === undefined ? null : placeOf(preferred)
  if (base !== null && near(value, base)) return relative(preferred!, value - base)
  for (const [name, place] of Object.entries(ANCHORS)) {
    if (value >> 12n === place >> 12n || near(value, place)) return relative(name, value - place)
  }
  return hex(value)
}

const near = (value: bigint, base: bigint): boolean => value - base < PAGE && base - value < 2n * PAGE
const relative = (name: string, distance: bigint): string =>
  distance === 0n ? name : distance > 0n ? `${name}+${hex(distance)}` : `${name}-${hex(-distance)}`

export const hex = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16)}`
