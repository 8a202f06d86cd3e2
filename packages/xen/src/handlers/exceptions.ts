import { pushesErrorCode, TF, VECTOR_BP, VECTOR_DB, VECTOR_MC, VECTOR_NMI, VECTOR_PF, writeMsr } from '@trapframe/core'
import { deliveryOf } from '../delivery.js'
import { askParts } from '../parts/part.js'
import type { Call, Outcome } from './context.js'
import { exceptionOf, toGuest } from './guest.js'
import { fatalPageFault, fatalTrap } from './panic.js'
import { isGuest } from './user-regs.js'
import { hex16 } from './vector-name.js'

const IA32_MCG_STATUS = 0x17a

/**
 * An exception by its vector, whichever way it was delivered.
 *
 * @param data the faulting address of #PF, or the conditions of #DB in DR6's layout, all positive
 */
export function handleException(call: Call, vector: number, data: bigint): Outcome {
  const { machine, cpu, regs } = call
  const taken = askParts(call, (part) => part.exception?.(call, vector) ?? null)
  if (taken !== null) return taken
  // What is asynchronous was noticed; what caused it is not modelled here.
  if (vector === VECTOR_NMI) return 'return'
  if (vector === VECTOR_MC) {
    // The last act of do_machine_check: MCIP is cleared, and the next machine check may come.
    writeMsr(cpu, IA32_MCG_STATUS, 0n)
    return 'return'
  }
  if (isGuest(regs)) return guestException(call, vector, data)
  switch (vector) {
    case VECTOR_DB:
      // Single-stepped into Xen, or a breakpoint of the guest on Xen's memory: not Xen's business.
      if (!beforeFlagsAreSaved(call)) regs.set('rflags', regs.get('rflags') & ~BigInt(TF))
      return 'return'
    case VECTOR_BP:
      machine.log(`Hit embedded breakpoint at ${hex16(regs.get('rip'))}`, cpu)
      return 'return'
    case VECTOR_PF:
      return fatalPageFault(call, data)
    default:
      return fatalTrap(call, vector)
  }
}

/** SYSENTER leaves TF as it was: the guest's has to get into its frame before it is taken away. */
function beforeFlagsAreSaved({ cpu, regs, build }: Call): boolean {
  if (deliveryOf(cpu) === 'fred') return false
  const rip = regs.get('rip')
  return rip >= build.label('sysenter_entry') && rip < build.label('sysenter_eflags_saved')
}

/** An exception of the guest. Under the IDT its INT n are among them: #GP of gates that are Xen's. */
function guestException(call: Call, vector: number, data: bigint): Outcome {
  const errorCode = pushesErrorCode(vector) ? Number(call.regs.get('error_code')) : null
  return toGuest(call, exceptionOf(vector, errorCode, data))
}
