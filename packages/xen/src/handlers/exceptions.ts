import {
  pushesErrorCode,
  RF,
  TF,
  VECTOR_BP,
  VECTOR_DB,
  VECTOR_GP,
  VECTOR_MC,
  VECTOR_NMI,
  VECTOR_PF,
} from '@trapframe/core'
import type { Call, Outcome } from './context.js'
import { exceptionOf, toGuest } from './guest.js'
import { fatalPageFault, fatalTrap } from './panic.js'
import { isGuest } from './user-regs.js'
import { hex16 } from './vector-name.js'

/** Bit 1 of a selector error code: the fault is about a gate. Bit 0: nobody asked for the event. */
const ERROR_CODE_IDT = 2
const ERROR_CODE_EXT = 1
/** INT n is two bytes. */
const INT_BYTES = 2

/**
 * An exception by its vector, whichever way it was delivered.
 *
 * @param address the faulting address, should it be #PF
 */
export function handleException(call: Call, vector: number, address: bigint): Outcome {
  const { machine, cpu, regs } = call
  // What is asynchronous was noticed; what caused it is not modelled here.
  if (vector === VECTOR_NMI || vector === VECTOR_MC) return 'return'
  if (isGuest(regs)) return guestException(call, vector, address)
  switch (vector) {
    case VECTOR_DB:
      // Single-stepped into Xen, or a breakpoint of the guest on Xen's memory: not Xen's business.
      regs.set('rflags', regs.get('rflags') & ~BigInt(TF))
      return 'return'
    case VECTOR_BP:
      machine.log(`Hit embedded breakpoint at ${hex16(regs.get('rip'))}`, cpu)
      return 'return'
    case VECTOR_PF:
      return fatalPageFault(call, address)
    default:
      return fatalTrap(call, vector)
  }
}

/**
 * An exception of the guest. Under the IDT its INT n meets gates of DPL 0: the #GP that follows names the gate, and is
 * emulated from its error code. A fault saves RF = 1, INT n does not.
 */
function guestException(call: Call, vector: number, address: bigint): Outcome {
  const { regs } = call
  const errorCode = pushesErrorCode(vector) ? Number(regs.get('error_code')) : null
  if (vector === VECTOR_GP && ((errorCode ?? 0) & (ERROR_CODE_IDT | ERROR_CODE_EXT)) === ERROR_CODE_IDT) {
    regs.set('rip', regs.get('rip') + BigInt(INT_BYTES))
    regs.set('rflags', regs.get('rflags') & ~BigInt(RF))
    return toGuest(call, { kind: 'software-interrupt', vector: (errorCode ?? 0) >> 3, length: INT_BYTES })
  }
  return toGuest(call, exceptionOf(vector, errorCode, address))
}
