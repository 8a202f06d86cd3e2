import { EXTERNAL_INTERRUPT, eventName, HARDWARE_EXCEPTION, NMI, VECTOR_DB, VECTOR_MC } from '@trapframe/core'
import type { FrameEvent } from '../ghost/frame.js'
import type { ReturnedFrame } from '../ghost/notes.js'
import type { Invariant } from './invariant.js'
import { hex } from './place.js'

/**
 * What returns is what was interrupted: the handler of an event that the interrupted code did not ask for and did not
 * cause gives back RIP, RSP, CPL, RFLAGS and every register as they were. Handlers of faults and of requests change them
 * on purpose and are not judged; nor are the flags after #DB, whose handler may clear TF.
 */
export const RETURN_IDENTITY: Invariant = {
  name: 'return-identity',
  onRequest: true,
  summary: 'what an interrupt, NMI, #MC or #DB returns to is what it interrupted',
  local: true,
  check({ cpu, returned }) {
    if (returned === null || !isAsynchronous(returned.event)) return null
    const what = difference(returned)
    return what === null
      ? null
      : { invariant: 'return-identity', message: `${eventName(returned.event)} came back with ${what}`, cpu: cpu.id }
  },
}

function isAsynchronous({ type, vector }: FrameEvent): boolean {
  return (
    type === EXTERNAL_INTERRUPT ||
    type === NMI ||
    (type === HARDWARE_EXCEPTION && (vector === VECTOR_MC || vector === VECTOR_DB))
  )
}

function difference({ event, interrupted, came, sameFlags, sameRegisters }: ReturnedFrame): string | null {
  if (came.cpl !== interrupted.cpl) return `CPL ${came.cpl} for ${interrupted.cpl}`
  if (came.rip !== interrupted.rip) return `RIP ${hex(came.rip)} for ${hex(interrupted.rip)}`
  if (came.rsp !== interrupted.rsp) return `RSP ${hex(came.rsp)} for ${hex(interrupted.rsp)}`
  if (!sameRegisters) return 'other registers'
  return sameFlags || event.vector === VECTOR_DB ? null : 'other RFLAGS'
}
