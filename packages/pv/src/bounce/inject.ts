import { isNull, pushesErrorCode, VECTOR_PF } from '@trapframe/core'
import { logUnhandled } from '@trapframe/xen'
import { inKernelMode, isCompat, type PvContext } from '../context.js'
import { TBF_EXCEPTION, TBF_EXCEPTION_ERRCODE, TBF_INTERRUPT } from '../state/pv-fields.js'
import { masksEvents, trapInfo } from '../state/trap-table.js'
import { writeElement } from '../state/vcpu-array.js'

/** Bit 2 of a page fault's error code: the access was a user's. */
const PF_USER = 4

/**
 * pv_inject_event: an event goes to the guest's handler for its vector, on the way out. An error code goes along where the
 * vector has one. A vector without handler is noted in the log; the frame for it is what stops the domain.
 *
 * @param errorCode null where the vector has none
 * @param address the linear address of #PF
 */
export function injectException(context: PvContext, vector: number, errorCode: number | null, address = 0n): void {
  let code = pushesErrorCode(vector) ? (errorCode ?? 0) : null
  if (vector === VECTOR_PF && code !== null) {
    context.info.set('cr2', address)
    writeElement(context.vcpu, 'ctrlreg', 2, address)
    // Guest kernel and guest user are both in ring 3; and Xen's own accesses are for the mode that runs.
    code = inKernelMode(context) ? code & ~PF_USER : code | PF_USER
  }
  if (!bounceToVector(context, vector, code)) logUnhandled(context, vector, code)
}

/** A software interrupt that the guest permits: the entry of its vector, without an error code. */
export function injectInterrupt(context: PvContext, vector: number): void {
  bounceToVector(context, vector, null)
}

/** Lets an entry of the trap table wait for the way out; whether it has a handler. */
export function bounceToVector(context: PvContext, vector: number, errorCode: number | null): boolean {
  const entry = trapInfo(context, vector)
  setBounce(context, entry.address, errorCode, masksEvents(entry))
  context.pv.set('bounce_cs', BigInt(entry.cs))
  // A 32-bit guest may well have a handler at 0 of a segment; a null segment it cannot have.
  return isCompat(context) ? !isNull(entry.cs) : entry.address !== 0n
}

/** Lets a handler wait for the way out; `more` are flags that only some events have. */
export function setBounce(
  { pv }: PvContext,
  address: bigint,
  errorCode: number | null,
  masking: boolean,
  more = 0,
): void {
  pv.set('bounce_eip', address)
  pv.set('bounce_error_code', BigInt(errorCode ?? 0))
  const withCode = errorCode === null ? 0 : TBF_EXCEPTION_ERRCODE
  pv.set('bounce_flags', BigInt(TBF_EXCEPTION | withCode | (masking ? TBF_INTERRUPT : 0) | more))
}

/** Says that what waits is about a SYSCALL. */
export function markBounce({ pv }: PvContext, flag: number): void {
  pv.set('bounce_flags', pv.get('bounce_flags') | BigInt(flag))
}
