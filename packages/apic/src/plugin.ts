import { DEVICES, definePlugin, HAPPENINGS, INTERRUPT_CONTROLLER, type Plugin } from '@trapframe/core'
import { IA32_APIC_BASE } from './enable.js'
import { acknowledge, priorityChanged } from './interrupts.js'
import { ARRIVAL_HAPPENINGS, acceptAll } from './ipi.js'
import { resetBase, writeBase } from './mode.js'
import { XAPIC_PAGE } from './page.js'
import { ARRIVALS, BASE, LOCAL_APIC } from './region.js'
import { x2apicMsrs } from './x2apic.js'

/**
 * A local APIC for each CPU: modes, IPIs, priorities. CPUs start in xAPIC mode, software-disabled, as after reset.
 * Interrupts of `pendInterrupt` do not come through it.
 */
export function apic(): Plugin {
  return definePlugin({
    name: 'apic',
    specifier: '@trapframe/apic',
    setup(host) {
      const { slot } = host.regions.declare(LOCAL_APIC)
      host.regions.declare(ARRIVALS)
      host.features.implement('x2apic')
      host.msrs.define({
        index: IA32_APIC_BASE,
        name: 'IA32_APIC_BASE',
        slot: slot + BASE,
        reset: resetBase,
        write: writeBase,
      })
      for (const msr of x2apicMsrs(slot)) host.msrs.define(msr)
      host.add(DEVICES, 'apic', XAPIC_PAGE)
      host.add(INTERRUPT_CONTROLLER, 'apic', { arrive: acceptAll, acknowledge, priorityChanged })
      host.add(HAPPENINGS, 'apic/arrivals', ARRIVAL_HAPPENINGS)
    },
  })
}
