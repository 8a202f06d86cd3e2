import { VECTOR_MC, VECTOR_NMI } from '@trapframe/core'
import type { PvAnswer } from '@trapframe/xen'
import type { PvContext } from '../context.js'
import { ASYNC_MCE, ASYNC_NMI, TBF_EXCEPTION } from '../state/pv-fields.js'
import { createBounceFrame } from './frame.js'
import { bounceToVector, setBounce } from './inject.js'

/**
 * What a guest is given on the way out, the most urgent first: the event that this entry was about, a machine check, an NMI,
 * an upcall. One at a time: after each the softirqs are looked at again.
 */
export function deliverOnTheWayOut(context: PvContext): PvAnswer | 'again' {
  const { pv } = context
  if ((pv.get('bounce_flags') & BigInt(TBF_EXCEPTION)) !== 0n) return bounced(createBounceFrame(context))
  return machineCheck(context) ?? nmi(context) ?? upcall(context) ?? 'resume'
}

const bounced = (answer: PvAnswer): PvAnswer | 'again' => (answer === 'resume' ? 'again' : answer)

const machineCheck = (context: PvContext): PvAnswer | 'again' | null =>
  asynchronous(context, VECTOR_MC, ASYNC_MCE, 'mce_pending', 'mce_old_mask')

const nmi = (context: PvContext): PvAnswer | 'again' | null =>
  asynchronous(context, VECTOR_NMI, ASYNC_NMI, 'nmi_pending', 'nmi_old_mask')

/** An NMI or machine check that waits and is not masked. A guest without handler for it does not get it. */
function asynchronous(
  context: PvContext,
  vector: number,
  bit: number,
  pending: 'nmi_pending' | 'mce_pending',
  oldMask: 'nmi_old_mask' | 'mce_old_mask',
): PvAnswer | 'again' | null {
  const { pv } = context
  const mask = pv.get('async_mask')
  if (pv.get(pending) === 0n || (mask & BigInt(bit)) !== 0n) return null
  pv.set(pending, 0n)
  if (!bounceToVector(context, vector, null)) {
    pv.set('bounce_flags', 0n)
    return 'again'
  }
  pv.set(oldMask, mask)
  pv.set('async_mask', mask | BigInt(bit))
  return bounced(createBounceFrame(context))
}

/** The upcall for event channels, which always masks further ones. */
function upcall(context: PvContext): PvAnswer | 'again' | null {
  const { info, vcpu, pv } = context
  if (info.get('evtchn_upcall_pending') === 0n || info.get('evtchn_upcall_mask') !== 0n) return null
  setBounce(context, vcpu.get('event_callback_eip'), null, true)
  pv.set('bounce_cs', pv.get('event_callback_cs'))
  return bounced(createBounceFrame(context))
}

/** async_exception_cleanup: the handler of an NMI or machine check returns, and the mask becomes what it was before it. */
export function leaveAsyncHandler({ pv }: PvContext): void {
  const mask = pv.get('async_mask')
  const handlers = [
    [ASYNC_NMI, 'nmi_old_mask'],
    [ASYNC_MCE, 'mce_old_mask'],
  ] as const
  const single = handlers.find(([bit]) => mask === BigInt(bit))
  const last = single ?? handlers.find(([bit, old]) => (mask ^ pv.get(old)) === BigInt(bit))
  if (mask !== 0n && last !== undefined) pv.set('async_mask', pv.get(last[1]))
}
