/** Local APICs for trapframe: modes, interprocessor interrupts, priorities. */

export { enableLocalApic, IA32_APIC_BASE } from './enable.js'
export {
  type Arrivals,
  acceptIpi,
  arrivalsOf,
  type Flight,
  inFlight,
  isSending,
  lastCommand,
  setArrivals,
} from './ipi.js'
export { pulseLint } from './lint.js'
export { APIC_PAGE, type ApicMode, apicMode } from './mode.js'
export { apic } from './plugin.js'
export { STARTUPS, type Startup } from './startup.js'
