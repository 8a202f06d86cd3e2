import { definePlugin, type Plugin, type PluginHost } from '@trapframe/core'
import { addExplainers } from '../explain/plugin.js'
import { BLOCKING, PENDING } from './expect/blocking.js'
import { OUTCOME, PRIVILEGE, STACK_LEVEL } from './expect/end.js'
import { FACTS } from './expect/facts.js'
import { FLAG_VALUES } from './expect/flags.js'
import { FRAME } from './expect/frame.js'
import { KEEPS, VIOLATES } from './expect/invariants.js'
import { MEMORY } from './expect/memory.js'
import { NEVER } from './expect/never.js'
import { MSR_VALUES, REGISTER_VALUES } from './expect/registers.js'
import { DELIVERED, EVENTS, LOG, TRACE } from './expect/sequence.js'
import { SNAPSHOT } from './expect/snapshot.js'
import {
  DEBUG_INJECTION,
  HAPPENING_INJECTION,
  INTERRUPT_INJECTION,
  MACHINE_CHECK_INJECTION,
  NMI_INJECTION,
  PAGE_FAULT_INJECTION,
  TIME_INJECTION,
} from './inject/events.js'
import { SET_BLOCKING } from './setup/blocking.js'
import { SET_CRASH } from './setup/crash.js'
import { SET_IPIS } from './setup/ipis.js'
import { MAP, SET_MEMORY, UNMAP } from './setup/memory.js'
import { SET_MSRS, SET_REGISTERS } from './setup/registers.js'
import { DELIVERY_VIEWS, EXPECTATIONS, INJECTIONS, SETUPS } from './slots.js'
import { FRED_VIEW, IDT_VIEW } from './views.js'

const SET_UP = {
  registers: SET_REGISTERS,
  msr: SET_MSRS,
  map: MAP,
  unmap: UNMAP,
  memory: SET_MEMORY,
  blocking: SET_BLOCKING,
  crash: SET_CRASH,
  ipis: SET_IPIS,
}

const INJECTED = {
  nmi: NMI_INJECTION,
  mc: MACHINE_CHECK_INJECTION,
  interrupt: INTERRUPT_INJECTION,
  db: DEBUG_INJECTION,
  time: TIME_INJECTION,
  pf: PAGE_FAULT_INJECTION,
  happening: HAPPENING_INJECTION,
}

const EXPECTED = {
  violates: VIOLATES,
  keeps: KEEPS,
  outcome: OUTCOME,
  registers: REGISTER_VALUES,
  flags: FLAG_VALUES,
  cpl: PRIVILEGE,
  stackLevel: STACK_LEVEL,
  msr: MSR_VALUES,
  frame: FRAME,
  never: NEVER,
  memory: MEMORY,
  log: LOG,
  events: EVENTS,
  delivered: DELIVERED,
  blocking: BLOCKING,
  pending: PENDING,
  trace: TRACE,
  facts: FACTS,
  snapshot: SNAPSHOT,
}

const VIEWS = { fred: FRED_VIEW, idt: IDT_VIEW }

/** The verbs of scenarios, and what reports know about IDT and FRED. They get no other door than a third party's. */
export function verbs(): Plugin {
  return definePlugin({
    name: 'cli',
    specifier: '@trapframe/cli',
    setup(host: PluginHost) {
      for (const [name, verb] of Object.entries(EXPECTED)) host.add(EXPECTATIONS, name, verb)
      for (const [name, verb] of Object.entries(SET_UP)) host.add(SETUPS, name, verb)
      for (const [name, verb] of Object.entries(INJECTED)) host.add(INJECTIONS, name, verb)
      for (const [name, view] of Object.entries(VIEWS)) host.add(DELIVERY_VIEWS, name, view)
      addExplainers(host)
    },
  })
}
