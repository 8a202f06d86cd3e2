import type { Invariant } from './invariant.js'
import { hex } from './place.js'

/** No CPU ever shuts down: no fault meets the delivery of #DF (SDM 3A 6.15). */
export const NO_SHUTDOWN: Invariant = {
  name: 'no-shutdown',
  onRequest: true,
  summary: 'no CPU shuts down',
  local: true,
  check: ({ cpu, notes }) =>
    notes.shutdown
      ? { invariant: 'no-shutdown', message: `shutdown at ${hex(cpu.rip)}, RSP ${hex(cpu.rsp)}`, cpu: cpu.id }
      : null,
}
