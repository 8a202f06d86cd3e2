import { type Machine, type ProgramSite, resetCpu } from '@trapframe/core'
import { clearMemory } from '../setup/machine-memory.js'
import { writeGdt, writeIdt } from '../setup/tables.js'
import { unsetOptions } from './facts.js'
import { park } from './functions.js'
import type { Image } from './image.js'
import { COMMAND_LINE, EARLY_IDT, writeVariable } from './init-data.js'

/**
 * The site at which a boot begins. A CPU that enters is as the loader left it: the first one before the first instruction
 * of Xen, with everything in memory but code as it was then; the others wait until Xen starts them.
 */
export function bootSite(image: Image): ProgramSite {
  const origin = image.init.get('boot_start')!
  return {
    origin,
    capacity: 0,
    cpl: 0,
    enter(cpu) {
      if (cpu.id !== 0) return park(cpu)
      placeData(cpu.machine, image)
      for (const other of cpu.machine.cpus.slice(1)) park(other)
      resetCpu(cpu)
      cpu.rip = origin
    },
  }
}

/** What is in memory before the first instruction, beside code: the first GDT, the early IDT, the command line. */
function placeData(machine: Machine, { early, commandLine }: Image): void {
  const space = machine.space(0n)
  clearMemory(machine)
  writeGdt(space, 0)
  writeIdt(space, EARLY_IDT, early, { ist: 'none', pv32: false })
  unsetOptions(space)
  writeVariable(space, 'nr_cpus', machine.cpus.length)
  space.write(COMMAND_LINE, new TextEncoder().encode(commandLine))
}
