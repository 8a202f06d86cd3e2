import type { PluginHost } from '@trapframe/core'
import { DELIVERY_EXPLAINERS, INSTRUCTION_EXPLAINERS } from './explanation.js'
import { SYSCALL, SYSENTER, SYSEXIT, SYSRET } from './fast-calls.js'
import { FRED_DELIVERY } from './fred-delivery.js'
import { ERETS, ERETU } from './fred-returns.js'
import { IDT_DELIVERY } from './idt-delivery.js'
import { IRET } from './interrupt-return.js'

const DELIVERIES = { idt: IDT_DELIVERY, fred: FRED_DELIVERY }

const INSTRUCTIONS = {
  iret: IRET,
  erets: ERETS,
  eretu: ERETU,
  'syscall@idt': SYSCALL,
  'sysret@idt': SYSRET,
  'sysenter@idt': SYSENTER,
  'sysexit@idt': SYSEXIT,
}

/** What trapframe itself can explain. */
export function addExplainers(host: PluginHost): void {
  for (const [name, explainer] of Object.entries(DELIVERIES)) host.add(DELIVERY_EXPLAINERS, name, explainer)
  for (const [name, explainer] of Object.entries(INSTRUCTIONS)) host.add(INSTRUCTION_EXPLAINERS, name, explainer)
}
