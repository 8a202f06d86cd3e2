import { eventName } from '@trapframe/core'
import type { Invariant } from './invariant.js'
import { hex } from './place.js'

/**
 * A1: delivery does not clobber the state of an outer context that is still active. The bytes of a live frame must not
 * be overwritten by the delivery of another event, nor by software other than the handler that runs on it.
 */
export const NO_CLOBBER: Invariant = {
  name: 'no-clobber',
  summary: 'nobody overwrites a frame that its handler still needs',
  local: true,
  check({ cpu, clobber }) {
    if (clobber === null) return null
    const elsewhere = clobber.cpu === cpu.id ? '' : `CPU ${clobber.cpu}, `
    const writer =
      clobber.by === null
        ? `by software at ${hex(clobber.rip)}`
        : `by the frame of ${eventName(clobber.by)} at ${hex(clobber.rip)}`
    return {
      invariant: 'no-clobber',
      message: `${eventName(clobber.event)} frame at ${hex(clobber.address)} overwritten ${elsewhere}${writer}`,
      cpu: cpu.id,
    }
  },
}
