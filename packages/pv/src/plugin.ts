import { definePlugin, type Plugin } from '@trapframe/core'
import { PV_INTERFACE, type PvInterface } from '@trapframe/xen'
import { deliverOnTheWayOut } from './bounce/way-out.js'
import { pvContext } from './context.js'
import { loadGuestControls } from './emulate/guest-controls.js'
import { handleException } from './entry/exception.js'
import { handleSoftwareInterrupt } from './entry/software-interrupt.js'
import { handleSyscall, handleSyscall32, handleSysenter } from './entry/syscall.js'
import { HOST_CHECKS, type HostChecks } from './host-checks.js'
import { reportBadSegments } from './segment/failsafe.js'

/** Xen's interface to 64-bit PV guests, with the checks that it makes. */
export const pvInterface = (checks: HostChecks): PvInterface => ({
  handle(call, event) {
    const context = pvContext(call, checks)
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
  beforeReturn: (call) => deliverOnTheWayOut(pvContext(call, checks)),
  badSegments: (call) => reportBadSegments(pvContext(call, checks)),
  loadVcpu: (cpu, vcpu) => loadGuestControls({ cpu, vcpu }),
})

/**
 * PV guests on the host `xen`: trap tables, callbacks, bounce frames, hypercalls (P1–P6). `checks` replaces some of the
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
