/** @import { Call, Outcome } from './call.mjs' */
import { CR2 } from '@trapframe/core'
import { handleException } from './exceptions.mjs'
import { handleInterrupt } from './interrupts.mjs'

/** The first vector that is no exception. */
const FIRST_INTERRUPT = 32

/**
 * Dispatch by vector: which gate was taken is all that there is to know. Whether the CPU raised the event, a device, or an
 * INT n of the kernel itself, nobody can tell.
 *
 * @param {Call} call
 * @returns {Outcome}
 */
export function idtDispatch(call) {
  const { cpu, regs, vector, kernel } = call
  if (vector >= FIRST_INTERRUPT) return handleInterrupt(call, vector)
  const fromEventData = kernel.options.pageFaultAddress === 'event-data'
  const address = () => (fromEventData ? regs.get('event_data') : cpu.get64(CR2))
  return handleException(call, vector, regs.get('orig_ax'), address)
}
