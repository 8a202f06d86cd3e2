import { type Boot, type BootRequest, type HostKind, type Machine, MachineError } from '@trapframe/core'
import { assembleText } from '../entry/text.js'
import { bindFunctions } from '../handlers/bind.js'
import { FRED_HANDLERS } from '../handlers/fred-functions.js'
import { IDT_HANDLERS } from '../handlers/idt-functions.js'
import { TEXT } from '../layout/memory.js'
import { setUpCpu } from '../setup/cpu.js'
import { mapMemory, memoryAreas } from '../setup/machine-memory.js'
import { GUEST_SITE, HOST_SITE } from '../sites.js'
import { xenStackMap } from '../stack-map.js'
import { parseCommandLine } from './command-line.js'
import { type BootDecision, decideBoot } from './decision.js'
import { bootLabels } from './labels.js'
import { readRequest, XEN_OPTIONS, type XenRequest } from './options.js'

/** Xen as a kind of host: decides between IDT and FRED, and programs every CPU of the machine for it (X1–X8). */
export const XEN: HostKind = {
  name: 'xen',
  summary: 'Xen, with its 8-page stacks, entry and exit code, under IDT or FRED as its boot decides',
  deliveries: ['idt', 'fred'],
  options: XEN_OPTIONS,
  boot,
}

function boot(machine: Machine, request: BootRequest): Boot {
  const wanted = readRequest(request)
  const decision = decide(machine, wanted, request)
  const { delivery, reasons, log } = decision
  mapMemory(machine)
  const text = assembleText(delivery, decision)
  machine.space(0n).write(TEXT.linear, text.bytes)
  bindFunctions(machine, text.labels, delivery === 'fred' ? FRED_HANDLERS : IDT_HANDLERS)
  for (const cpu of machine.cpus) setUpCpu(cpu, text.labels, decision, wanted.revision, wanted.ist)
  const labels = bootLabels(machine, text.labels, delivery)
  const sites = { guest: GUEST_SITE, host: HOST_SITE }
  for (const cpu of machine.cpus) {
    HOST_SITE.enter(cpu)
    cpu.rip = text.labels.get('idle_loop')!
  }
  return { delivery, reasons, log, labels, sites, areas: memoryAreas(machine), stackMap: xenStackMap }
}

/** The decision, held against what the request insists on. @throws MachineError when they differ */
function decide(machine: Machine, wanted: XenRequest, { delivery }: BootRequest): BootDecision {
  const { cpu, model } = machine
  for (const { option, feature } of wanted.needs) {
    if (cpu.has(feature)) continue
    throw new MachineError('xen-option', `option "${option}" is true, and CPU "${model.name}" has no ${feature}`, {
      hint: `leave it out, or take a CPU with ${feature}`,
    })
  }
  const decision = decideBoot({
    revision: wanted.revision,
    commandLine: parseCommandLine(wanted.commandLine),
    vendor: model.vendor,
    has: (feature) => cpu.has(feature),
  })
  if (delivery === undefined || delivery === decision.delivery) return decision
  throw new MachineError(
    'xen-delivery',
    `delivery "${delivery}" was asked for, and Xen decides for ${decision.delivery}: ${decision.reasons.join('; ')}`,
    { hint: `its log says: ${decision.log.join(' / ')}` },
  )
}
