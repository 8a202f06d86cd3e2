import { setArrivals } from '@trapframe/apic'
import { z } from 'zod'
import { setupVerb } from '../slots.js'

/** `ipis: chosen`: IPIs arrive when the search, or an injected happening, says so, not at the receiver's next step. */
export const SET_IPIS = setupVerb({
  summary:
    "when IPIs arrive: at-step (the receiver's next step) or chosen (by a search, or a happening such as `ipi 0>1`)",
  schema: z.enum(['at-step', 'chosen']),
  apply: (arrivals, { machine }) => setArrivals(machine, arrivals),
})
