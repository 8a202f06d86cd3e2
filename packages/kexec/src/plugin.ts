import { definePlugin, type Plugin } from '@trapframe/core'
import { XEN_PARTS } from '@trapframe/xen'
import { CONTAINED_REGION, PLACED_REGION } from './memory/state.js'
import { KEXEC_PART } from './part.js'

/** Crash, NMI shootdown and the way into a crash kernel, as a part of Xen: host `xen` has it from its boot on (K1–K4). */
export function kexec(): Plugin {
  return definePlugin({
    name: 'kexec',
    requires: ['xen', 'apic'],
    specifier: '@trapframe/kexec',
    setup(host) {
      host.regions.declare(CONTAINED_REGION)
      host.regions.declare(PLACED_REGION)
      host.add(XEN_PARTS, 'kexec', KEXEC_PART)
    },
  })
}
