import type { DeliveryMechanism } from '@trapframe/core'
import { idtDelivery } from './deliver.js'
import type { IdtSlots } from './msrs.js'

/** Name of the mechanism, for `under` and for scenarios. */
export const IDT = 'idt'

/** Delivery through the IDT: what is active when nothing else is, and forbids far transfers nothing. */
export function idtMechanism(slots: IdtSlots): DeliveryMechanism {
  return {
    name: IDT,
    activeWhen: {},
    fallback: true,
    transferPolicy: {
      returnToOuterRing: true,
      callGates: true,
      ring0CompatibilityMode: true,
      shadowStackTokens: true,
    },
    deliver: idtDelivery(slots.shadowStackTable),
  }
}
