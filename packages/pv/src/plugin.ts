import { definePlugin, type Plugin } from '@trapframe/core'
import { NO_HANDLERS, PV_INTERFACE, type PvInterface } from '@trapframe/xen'
import { deliverOnTheWayOut } from './bounce/way-out.js'
import { inKernelMode, isCompat, isInitialised, pvContext } from './context.js'
import { loadGuestControls } from './emulate/guest-controls.js'
import { handleException } from './entry/exception.js'
import { handleSoftwareInterrupt } from './entry/software-interrupt.js'
import { handleSyscall, handleSyscall32, handleSysenter } from './entry/syscall.js'
import { HOST_CHECKS, type HostChecks } from './host-checks.js'
import { reportCompatBadSegments } from './pv32/failsafe.js'
import { handleCompat, restoreProtection, withholdProtection } from './pv32/interface.js'
import { loadCompatGdt } from './pv32/selectors.js'
import { reportBadSegments } from './segment/failsafe.js'
import { pvStateOf } from './state/pv-fields.js'

/** Xen's interface to PV guests, 64-bit and 32-bit, with the checks that it makes. */
export const pvInterface = (checks: HostChecks): PvInterface => ({
  handle(call, event) {
    const context = pvContext(call, checks)
    if (isCompat(context)) {
      restoreProtection(context)
      return handleCompat(context, event)
    }
    const hypercall = event.kind === 'syscall' && inKernelMode(context)
    if (!hypercall && !isInitialised(context)) return NO_HANDLERS.handle(call, event)
    switch (event.kind) {
      case 'syscall':
        return handleSyscall(context, event.length)
      case 'syscall32':
        return handleSyscall32(context, event.length)
      case 'sysenter':
        return handleSysenter(context)
      case 'software-interrupt':
        handleSoftwareInterrupt(context, event.vector, event.length)
        return 'resume'
      case 'exception':
        return handleException(context, event)
    }
  },
  beforeReturn(call) {
    const context = pvContext(call, checks)
    if (!isInitialised(context)) return 'resume'
    if (!isCompat(context)) return deliverOnTheWayOut(context)
    restoreProtection(context)
    const answer = deliverOnTheWayOut(context)
    if (answer === 'resume') withholdProtection(context)
    return answer
  },
  badSegments(call) {
    const context = pvContext(call, checks)
    if (!isInitialised(context)) return 'resume'
    return isCompat(context) ? reportCompatBadSegments(context) : reportBadSegments(context)
  },
  loadVcpu(cpu, vcpu) {
    const state = pvStateOf(cpu, vcpu)
    if (isCompat({ pv: state })) loadCompatGdt(cpu)
    if (isInitialised({ pv: state })) loadGuestControls({ cpu, vcpu })
  },
})

/**
 * PV guests on the host `xen`: trap tables, callbacks, bounce frames, hypercalls (P1–P6). Code in ring 3 that has made no
 * hypercall to register anything finds what it finds without this plugin. `checks` replaces some of the
 * hypervisor's checks, to show that a test notices when one is missing.
 */
export function pv({ checks }: { readonly checks?: Partial<HostChecks> } = {}): Plugin {
  return definePlugin({
    name: 'pv',
    requires: ['xen', 'isa'],
    specifier: '@trapframe/pv',
    setup(host) {
      host.add(PV_INTERFACE, 'pv', pvInterface({ ...HOST_CHECKS, ...checks }), { precedence: 1 })
    },
  })
}
