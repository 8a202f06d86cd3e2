import { createMachine, definePlugin, type Plugin } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { assemble, isa } from '@trapframe/isa'
import { describe, expect, it } from 'vitest'
import { PV_INTERFACE, type PvEvent, xen } from '../index.js'

/** Notes what it is asked, and skips the instruction of a fault. */
const noting = (events: PvEvent[]): Plugin =>
  definePlugin({
    name: 'noting',
    requires: ['xen'],
    setup(host) {
      host.add(
        PV_INTERFACE,
        'noting',
        {
          handle({ regs }, event) {
            events.push(event)
            if (event.kind === 'exception') regs.set('rip', regs.get('rip') + 2n)
            return 'resume'
          },
        },
        { precedence: 1 },
      )
    },
  })

describe('PV interface', () => {
  it.each(['idt', 'fred'])(
    'P1: under %s a plugin of higher precedence gets the guest’s events; INT n is #GP of Xen’s gate under the IDT',
    (delivery) => {
      const events: PvEvent[] = []
      const machine = createMachine({ cpu: 'panther-lake', plugins: [xen(), idt(), fred(), isa(), noting(events)] })
      const boot = machine.boot('xen', { delivery })
      const site = boot.sites.guest!
      const { bytes, labels } = assemble('syscall\nint 0x21\nint 0x80\nud2\nmov al, [rbx]\nint3\nback: nop', {
        origin: site.origin,
      })
      machine.space(0n).write(site.origin, bytes)
      site.enter(machine.cpu)
      machine.cpu.setGpr(3, 0xdead_0000n)
      for (let i = 0; i < 2000 && machine.cpu.rip !== labels.get('back'); i++) {
        machine.step()
        if (events.at(-1)?.kind === 'exception' && events.length === 6) break
      }
      expect(events).toEqual([
        { kind: 'syscall', length: 2 },
        delivery === 'idt'
          ? { kind: 'exception', vector: 13, errorCode: 0x10a, address: 0n }
          : { kind: 'software-interrupt', vector: 0x21, length: 2 },
        { kind: 'software-interrupt', vector: 0x80, length: 2 },
        { kind: 'exception', vector: 6, errorCode: null, address: 0n },
        { kind: 'exception', vector: 14, errorCode: 4, address: 0xdead_0000n },
        { kind: 'exception', vector: 3, errorCode: null, address: 0n },
      ])
    },
  )
})
