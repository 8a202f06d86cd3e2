import { defineSlot, type Slot, VECTOR_BP, VECTOR_OF } from '@trapframe/core'
import type { Call } from './context.js'

/** What a PV guest asked for or ran into, the same for both deliveries. */
export type PvEvent =
  | { readonly kind: 'syscall' | 'syscall32' | 'sysenter' }
  /** INT n; RIP is behind the instruction of `length` bytes. */
  | { readonly kind: 'software-interrupt'; readonly vector: number; readonly length: number }
  | {
      readonly kind: 'exception'
      readonly vector: number
      /** Null where the exception has none. */
      readonly errorCode: number | null
      /** The linear address of #PF; 0 otherwise. */
      readonly address: bigint
    }

/** What the guest's registers are, and whose. */
export type PvCall = Call

/** `resume` goes back to the guest with the registers as they are now; a crash stops its domain. */
export type PvAnswer = 'resume' | { readonly crash: string }

/** Xen's interface to PV guests, as far as events go. The one with the highest precedence answers. */
export interface PvInterface {
  handle(call: PvCall, event: PvEvent): PvAnswer
}

export const PV_INTERFACE: Slot<PvInterface> = defineSlot('xen/pv-interface', 'first')

/**
 * An interface without guests' handlers: system calls, INT n, INT3 and INTO just return; any other exception has nobody to
 * go to, and crashes the domain.
 */
export const NO_HANDLERS: PvInterface = {
  handle(_call, event) {
    if (event.kind === 'exception' && event.vector !== VECTOR_BP && event.vector !== VECTOR_OF) {
      return { crash: 'no handler' }
    }
    return event.kind === 'sysenter' ? { crash: 'no SYSENTER callback' } : 'resume'
  },
}
