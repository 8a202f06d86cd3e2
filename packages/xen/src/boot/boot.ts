import { type Boot, type BootRequest, type HostKind, type Machine, MachineError } from '@trapframe/core'
import { placeParts } from '../parts/part.js'
import { memoryAreas } from '../setup/machine-memory.js'
import { xenSites } from '../sites.js'
import { xenStackMap } from '../stack-map.js'
import { parseCommandLine } from './command-line.js'
import { type BootDecision, decideBoot } from './decision.js'
import { bootLabels } from './labels.js'
import { readRequest, XEN_OPTIONS, type XenRequest } from './options.js'
import { placeCode } from './place.js'
import { bootSite } from './power-on.js'
import { readBack } from './read-back.js'
import { BootRecorder } from './record.js'
import { runToIdle } from './run.js'
import { setUpsSideBySide } from './side-by-side.js'

/** Xen as a kind of host: decides between IDT and FRED, and programs every CPU of the machine for it (X1–X8). */
export const XEN: HostKind = {
  name: 'xen',
  summary: 'Xen, with its 8-page stacks, entry and exit code, under IDT or FRED as its boot decides',
  deliveries: ['idt', 'fred'],
  options: XEN_OPTIONS,
  boot,
}

/** Puts Xen into memory and runs its boot, from the first instruction to the idle loop of every CPU. */
function boot(machine: Machine, request: BootRequest): Boot {
  const wanted = readRequest(request)
  const decision = decide(machine, wanted, request)
  const { delivery, reasons } = decision
  const image = placeCode(machine, wanted, decision)
  const { text, init, info } = image
  const site = bootSite(image)
  const recorder = new BootRecorder(init)
  site.enter(machine.cpu)
  runToIdle(machine, text.get('idle_loop')!, recorder)
  return placeParts(machine, {
    delivery: machine.cpu.mechanism!.name,
    reasons,
    log: recorder.log,
    labels: bootLabels(machine, image, delivery),
    sites: { ...xenSites(info, wanted.xpti), boot: site },
    areas: memoryAreas(machine),
    stackMap: (cpu) => xenStackMap(cpu, info),
    // What Xen keeps for a CPU it finds through RSP: GS is the guest's, in ring 0 too.
    hostGsBases: () => [],
    panicStop: text.get('panic_stop')!,
    facts: (cpu) => {
      const programmed = recorder.programmed(cpu.id)
      return {
        revision: wanted.revision,
        ...readBack(cpu),
        programmed,
        get setUps() {
          return setUpsSideBySide(XEN, machine.model, wanted)
        },
      }
    },
  })
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
  if (wanted.xpti && decision.delivery === 'fred') {
    throw new MachineError('xen-option', 'option "xpti" is true, and FRED’s entry code changes no page tables', {
      hint: 'take delivery idt: the CPUs that need it have no FRED',
    })
  }
  if (delivery === undefined || delivery === decision.delivery) return decision
  throw new MachineError(
    'xen-delivery',
    `delivery "${delivery}" was asked for, and Xen decides for ${decision.delivery}: ${decision.reasons.join('; ')}`,
    { hint: `its log says: ${decision.log.join(' / ')}` },
  )
}
