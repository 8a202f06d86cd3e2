import { type Cpu, eventName, PAGE_SHADOW_STACK } from '@trapframe/core'
import type { Invariant } from './invariant.js'
import { hex } from './place.js'

/**
 * Shadow stacks follow the events: while they are on, a delivery leaves SSP in a shadow-stack page, and a return to the
 * privilege that was interrupted brings back the SSP that it had. What a shadow stack holds hardware checks itself.
 */
export const SHADOW_STACK_CONSISTENCY: Invariant = {
  name: 'shadow-stack',
  onRequest: true,
  summary: 'SSP is in a shadow stack after a delivery, and back where it was after the return',
  local: true,
  check({ cpu, delivered, returned }) {
    if (delivered.length > 0 && cpu.cpl !== 3 && cpu.supervisorShadowStack) {
      if (!isOnShadowStack(cpu)) {
        const message = `${eventName(delivered.at(-1)!.event)} left SSP at ${hex(cpu.ssp)}, which is no shadow stack`
        return { invariant: 'shadow-stack', message, cpu: cpu.id }
      }
    }
    if (returned === null || !cpu.shadowStack) return null
    const { interrupted, came, event } = returned
    if (came.cpl !== interrupted.cpl || came.ssp === interrupted.ssp) return null
    const message = `${eventName(event)} came back with SSP ${hex(came.ssp)} for ${hex(interrupted.ssp)}`
    return { invariant: 'shadow-stack', message, cpu: cpu.id }
  },
}

/** SSP points into a shadow stack, or to the end of one that is empty: there an event from ring 3 leaves it under FRED. */
function isOnShadowStack({ space, ssp }: Cpu): boolean {
  return ((space.flagsAt(ssp) | space.flagsAt(BigInt.asUintN(64, ssp - 8n))) & PAGE_SHADOW_STACK) !== 0
}
