import type { Machine } from '@trapframe/core'
import { assembleText } from '../entry/text.js'
import { differencesOf } from '../guest-visible/differences.js'
import { bindFunctions } from '../handlers/bind.js'
import { FRED_HANDLERS } from '../handlers/fred-functions.js'
import { IDT_HANDLERS } from '../handlers/idt-functions.js'
import { cpuInfoLayout } from '../layout/cpu-info.js'
import { EARLY_TEXT, INIT_TEXT, TEXT } from '../layout/memory.js'
import { mapMemory } from '../setup/machine-memory.js'
import type { BootDecision } from './decision.js'
import { bindInitFunctions } from './functions.js'
import type { Image } from './image.js'
import type { XenRequest } from './options.js'
import { earlyText, initText } from './text.js'

/**
 * Puts Xen's code into a machine's memory. Of the entry code it is the one that the boot will decide for; the boot itself
 * has both ways in it and finds out which to go.
 */
export function placeCode(machine: Machine, wanted: XenRequest, decision: BootDecision): Image {
  const { revision, ist, commandLine } = wanted
  const { delivery } = decision
  const info = cpuInfoLayout(wanted.layout, delivery)
  const text = assembleText(delivery, { ...decision, xpti: wanted.xpti }, info)
  const early = earlyText(info)
  // FRED's text begins with its entry page. What the other delivery would need is not there, and is not asked for.
  const entry = { fred: TEXT.linear, sysenter: text.labels.get('sysenter_entry') ?? 0n }
  const init = initText(revision, entry, text.labels.get('idle_loop')!, info)
  mapMemory(machine)
  const space = machine.space(0n)
  space.write(TEXT.linear, text.bytes)
  space.write(EARLY_TEXT.linear, early.bytes)
  space.write(INIT_TEXT.linear, init.bytes)
  const image: Image = {
    revision,
    ist,
    info,
    commandLine,
    text: text.labels,
    early: early.labels,
    init: init.labels,
  }
  const handlers = delivery === 'fred' ? FRED_HANDLERS : IDT_HANDLERS
  const settled = { revision, layout: info, pv32: decision.pv32, shows: differencesOf(revision, delivery) }
  bindFunctions(machine, image.text, handlers, settled)
  // Before the choice is made there is only the IDT.
  bindFunctions(machine, image.early, IDT_HANDLERS, { ...settled, shows: differencesOf(revision, 'idt') })
  bindInitFunctions(machine, image)
  return image
}
