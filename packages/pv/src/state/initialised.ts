import type { PvContext } from '../context.js'
import { loadGuestControls } from '../emulate/guest-controls.js'

/** The guest's kernel has registered something: from now on its events are its own, and so are its control registers. */
export function markInitialised(context: PvContext): void {
  const { pv } = context
  if (pv.get('initialised') !== 0n) return
  pv.set('initialised', 1n)
  loadGuestControls(context)
}
