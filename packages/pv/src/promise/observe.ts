import { END_VECTOR } from '../guest/initial-state.js'
import type { EntryPoint } from '../guest/entry-points.js'
import type { PvGuest, Stop } from '../guest/pv-guest.js'
import { askXen, readEntry } from '../guest/seen.js'

/** What a guest sees when its kernel is entered, or how it ended: values by name. */
export type Observed = Readonly<Record<string, bigint | string | null>>

const hex = (n: number): string => `0x${n.toString(16)}`

function entryName(entry: EntryPoint): string {
  if (entry.kind === 'callback') return `callback:${entry.name}`
  return entry.vector === END_VECTOR ? 'end' : `trap:${hex(entry.vector)}`
}

const prefixed = <T>(prefix: string, fields: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}.${name}`, value]))

/** Everything that the kernel finds at an entry point: its frame, registers, what it shares with Xen, and what Xen tells it. */
export function observeEntry(guest: PvGuest, entry: EntryPoint): Observed {
  const { frame, frameAt, gpr, rflags, selectors, ...shared } = readEntry(guest)
  const { gsQword, ...asked } = askXen(guest)
  return {
    entry: entryName(entry),
    frameAt,
    ...prefixed<bigint | null>('frame', { ...frame }),
    ...prefixed('regs', gpr),
    rflags,
    ...Object.fromEntries(Object.entries(selectors).map(([name, selector]) => [name, BigInt(selector)])),
    upcallMask: BigInt(shared.upcallMask),
    upcallPending: BigInt(shared.upcallPending),
    cr2: shared.cr2,
    ...asked,
    gsQword: typeof gsQword === 'bigint' ? gsQword : entryName(gsQword),
  }
}

/** How it ended. The registers are those that Xen has of the guest: only its log shows them. */
export function observeStop(stop: Exclude<Stop, { kind: 'entry' }>): Observed {
  if (stop.kind !== 'crash') return { entry: stop.kind === 'stuck' ? `stuck: ${stop.why}` : stop.kind }
  const { reason, unhandled, faultAddress, ...regs } = stop.crash
  return {
    entry: `crash: ${reason}`,
    unhandled: unhandled ?? null,
    faultAddress: faultAddress ?? null,
    ...prefixed('crash', regs),
  }
}
