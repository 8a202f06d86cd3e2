import { type BootRequest, createMachine, definePlugin } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { NO_HANDLERS } from '../src/handlers/pv-interface.js'
import { PV_INTERFACE, type PvAnswer, type PvEvent, xen } from '../src/index.js'
import type { XenMachine } from './xen-machine.js'

/** A machine whose PV interface notes what it is asked, and answers as the smallest one does, or always the same. */
export function notingMachine(cpu: string, request: BootRequest, events: PvEvent[], answer?: PvAnswer): XenMachine {
  const noting = definePlugin({
    name: 'noting',
    requires: ['xen'],
    setup(host) {
      host.add(
        PV_INTERFACE,
        'noting',
        {
          handle(call, event) {
            events.push(event)
            return answer ?? NO_HANDLERS.handle(call, event)
          },
        },
        { precedence: 1 },
      )
    },
  })
  const machine = createMachine({ cpu, plugins: [xen(), fred(), idt(), isa(), noting] })
  const boot = machine.boot('xen', request)
  return { machine, boot, cpu: machine.cpu, label: (name) => boot.labels.get(name)! }
}
