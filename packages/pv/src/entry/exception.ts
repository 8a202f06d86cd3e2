import { VECTOR_DB, VECTOR_GP, VECTOR_NM, VECTOR_PF, VECTOR_UD } from '@trapframe/core'
import { type PvAnswer, type PvEvent, refusedGate } from '@trapframe/xen'
import { injectException } from '../bounce/inject.js'
import { isCompat, type PvContext } from '../context.js'
import { handleDebug } from '../debug/handle-debug.js'
import { emulateInvalidOp } from '../emulate/invalid-op.js'
import { emulatePrivileged } from '../emulate/privileged.js'
import { handleDeviceNotAvailable } from '../fpu/device-not-available.js'
import { emulateGateUse } from '../pv32/call-gate.js'
import { fixUpLdtFault } from '../segment/ldt.js'
import { handleRefusedGate } from './software-interrupt.js'

/** An exception of the guest: what Xen can deal with itself it does, everything else is the guest's. */
export function handleException(context: PvContext, event: Extract<PvEvent, { kind: 'exception' }>): PvAnswer {
  const { vector, errorCode, address } = event
  if (!isXens(context, event)) injectException(context, vector, errorCode, address)
  return 'resume'
}

/** Whether Xen has dealt with it. */
function isXens(context: PvContext, event: Extract<PvEvent, { kind: 'exception' }>): boolean {
  const { vector, errorCode, address } = event
  switch (vector) {
    case VECTOR_DB:
      return handleDebug(context, event)
    case VECTOR_UD:
      return emulateInvalidOp(context)
    case VECTOR_NM:
      return handleDeviceNotAvailable(context) === 'handled'
    case VECTOR_GP: {
      const gate = refusedGate(event)
      if (gate === null && errorCode === 0) return emulatePrivileged(context)
      if (gate === null) return isCompat(context) && emulateGateUse(context, errorCode ?? 0)
      handleRefusedGate(context, gate)
      return true
    }
    case VECTOR_PF:
      return fixUpLdtFault(context, errorCode ?? 0, address)
    default:
      return false
  }
}
