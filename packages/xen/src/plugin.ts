import { definePlugin, HOSTS, type Plugin } from '@trapframe/core'
import { XEN } from './boot/boot.js'
import { NO_HANDLERS, PV_INTERFACE } from './handlers/pv-interface.js'

/** The host kind `xen`. PV guests have the smallest interface there is, until a plugin provides a better one. */
export function xen(): Plugin {
  return definePlugin({
    name: 'xen',
    requires: ['isa', 'idt', 'fred'],
    specifier: '@trapframe/xen',
    setup(host) {
      host.add(HOSTS, XEN.name, XEN)
      host.add(PV_INTERFACE, 'xen/no-handlers', NO_HANDLERS, { precedence: 0 })
    },
  })
}
