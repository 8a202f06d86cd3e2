import { VECTOR_DB } from '@trapframe/core'
import type { PvEvent } from '@trapframe/xen'
import { injectException } from '../bounce/inject.js'
import type { PvContext } from '../context.js'
import { mergeDr6 } from './debug-registers.js'

/**
 * do_debug, for a #DB of the guest: what has happened is noted in its DR6. Under the IDT that was in the CPU's DR6, which Xen
 * has put back to its default; under FRED it is the event data. Returns false: the #DB itself is the guest's.
 */
export function handleDebug(context: PvContext, event: Extract<PvEvent, { kind: 'exception' }>): false {
  mergeDr6(context, event.conditions ?? 0n)
  return false
}

/** pv_inject_DB: a #DB that Xen makes, with its conditions in DR6's layout, all positive. */
export function injectDebug(context: PvContext, conditions: bigint): void {
  mergeDr6(context, conditions)
  injectException(context, VECTOR_DB, null)
}
