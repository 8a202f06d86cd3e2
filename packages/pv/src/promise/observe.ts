import type { EntryPoint } from '../guest/entry-points.js'
import { END_VECTOR } from '../guest/initial-state.js'
import { GuestStopped, type PvGuest, type Stop } from '../guest/pv-guest.js'
import { askXen, readEntry } from '../guest/seen.js'
import { hex } from './hex.js'

/** What a guest sees when its kernel is entered, or how it ended: values by name. */
export type Observed = Readonly<Record<string, bigint | string | null>>

function entryName(entry: EntryPoint): string {
  if (entry.kind === 'callback') return `callback:${entry.name}`
  return entry.vector === END_VECTOR ? 'end' : `trap:${hex(entry.vector)}`
}

const prefixed = <T>(prefix: string, fields: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}.${name}`, value]))

/** Everything that the kernel finds at an entry point: its frame, registers, what it shares with Xen, and what Xen tells it. */
export function observeEntry(guest: PvGuest, entry: EntryPoint): Observed {
  const { frame, frameAt, gpr, rflags, selectors, ...shared } = readEntry(guest)
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
    ...observeAsked(guest),
  }
}

/** What Xen tells, or why it could not be asked: a guest without handlers may not survive its own question. */
function observeAsked(guest: PvGuest): Observed {
  try {
    const { gsQword, ...asked } = askXen(guest)
    return { ...asked, gsQword: typeof gsQword === 'bigint' ? gsQword : entryName(gsQword) }
  } catch (thrown) {
    if (!(thrown instanceof GuestStopped)) throw thrown
    return { asked: thrown.message }
  }
}

/** A guest that goes round in circles; where it is when one stops looking says nothing. */
const ENDLESS = /^nothing came of it/

/** How it ended. The registers are those that Xen has of the guest: only its log shows them. */
export function observeStop(stop: Exclude<Stop, { kind: 'entry' }>): Observed {
  if (stop.kind === 'stuck') return { entry: ENDLESS.test(stop.why) ? 'endless' : `stuck: ${stop.why}` }
  if (stop.kind !== 'crash') return { entry: stop.kind }
  const { reason, unhandled, faultAddress, ...regs } = stop.crash
  return {
    entry: `crash: ${reason}`,
    unhandled: unhandled ?? null,
    faultAddress: faultAddress ?? null,
    ...prefixed('crash', regs),
  }
}
