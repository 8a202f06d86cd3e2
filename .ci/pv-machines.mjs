// Machines for the scripts about PV guests, on the built packages.
import { createMachine, UnsupportedError } from '../packages/core/dist/index.js'
import { fred } from '../packages/fred/dist/index.js'
import { idt } from '../packages/idt/dist/index.js'
import { isa } from '../packages/isa/dist/index.js'
import { initialise, PvGuest, pv } from '../packages/pv/dist/index.js'
import { compareDeliveries } from '../packages/pv/dist/testing/index.js'
import { xen } from '../packages/xen/dist/index.js'

/** A guest on a Xen with one delivery, as it is before every program. */
function startGuest(cpu, revision, delivery) {
  const plugins = [isa(), idt(), fred({ int1Conditions: 'pending' }), xen(), pv()]
  const guest = new PvGuest(createMachine({ cpu, plugins }), { revision, delivery, cmdline: 'cet=no-ibt' })
  initialise(guest)
  return { guest, before: guest.machine.snapshot() }
}

/** What compares a program under both deliveries. A program with an instruction that is not modelled shows nothing. */
export function comparison(cpu, revision) {
  const both = ['idt', 'fred'].map((delivery) => startGuest(cpu, revision, delivery))
  const [idtGuest, fredGuest] = both.map(({ guest }) => guest)
  return (program) => {
    for (const { guest, before } of both) {
      guest.machine.restore(before)
      guest.forgetLog()
    }
    try {
      return compareDeliveries({ idt: idtGuest, fred: fredGuest }, program)
    } catch (error) {
      if (error instanceof UnsupportedError) return []
      throw error
    }
  }
}
