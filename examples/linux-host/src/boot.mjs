/** @import { Boot, BootRequest, HostKind, Machine } from '@trapframe/core' */
import { kernelText } from './entry/text.mjs'
import { bindFunctions } from './kernel/bind.mjs'
import { bootLabels } from './labels.mjs'
import { mapMemory, memoryAreas, perCpuPage, TEXT } from './memory.mjs'
import { OPTIONS, readRequest } from './request.mjs'
import { setUpCpu } from './setup/cpu.mjs'
import { GUEST_SITE, hostSite } from './sites.mjs'
import { linuxStackMap } from './stack-map.mjs'

/** Linux as a kind of host. @type {HostKind} */
export const LINUX = {
  name: 'linux',
  summary: "Linux's stacks, entry and exit code and dispatch, under IDT or FRED as its command line decides",
  deliveries: ['idt', 'fred'],
  options: OPTIONS,
  boot,
}

/** @param {Machine} machine @param {BootRequest} request @returns {Boot} */
function boot(machine, request) {
  const { delivery, reasons, options } = readRequest(machine, request)
  mapMemory(machine)
  const text = kernelText(machine.cpu.has('smap'))
  machine.space(0n).write(TEXT.linear, text.bytes)
  /** @param {string} label */
  const addressOf = (label) => {
    const address = text.labels.get(label)
    if (address === undefined) throw new Error(`the kernel's text has no label "${label}"`)
    return address
  }
  bindFunctions(machine, { addressOf, options })
  for (const cpu of machine.cpus) {
    setUpCpu(cpu, delivery, addressOf)
    GUEST_SITE.enter(cpu)
  }
  return {
    delivery,
    reasons,
    log: machine.cpus.map(({ id }) => `CPU${id}: ${delivery === 'fred' ? 'FRED' : 'IDT'} event delivery`),
    labels: bootLabels(machine, text.labels, delivery),
    sites: { guest: GUEST_SITE, host: hostSite(addressOf) },
    areas: memoryAreas(machine.cpus.length),
    stackMap: linuxStackMap,
    panicStop: addressOf('panic_stop'),
    hostGsBases: ({ id }) => [perCpuPage(id).linear],
  }
}
