// A search as a job, for the tests of workers: a ring 3 program with an INT n in its middle on a flat host.
import { createMachine } from '@trapframe/core'
import { DEBUG_EVENT, explore, interruptEvent, NMI_EVENT } from '@trapframe/explore'

const NOP = 0x90

export async function searchSetup({ plugins, delivery, cpus = 1, length = 20, options = {} }) {
  const loaded = await Promise.all(
    plugins.map(async ([module, name]) => {
      const { [name]: make } = await import(module)
      return make()
    }),
  )
  const machine = createMachine({ cpu: 'panther-lake', cpus, plugins: [...loaded, explore()] })
  const boot = machine.boot(`flat-${delivery}`)
  const { origin } = boot.sites.guest
  const code = new Uint8Array(2 * length + 2).fill(NOP)
  code.set([0xcd, 0x80], length)
  machine.space(0n).write(origin, code)
  const end = origin + BigInt(code.length)
  for (const cpu of machine.cpus) boot.sites.guest.enter(cpu)
  return {
    machine,
    boot,
    options: {
      events: [NMI_EVENT, DEBUG_EVENT, interruptEvent(0x21)],
      maxEvents: 3,
      deadStacks: true,
      maxViolations: 1000,
      atEnd: (cpu) => cpu.rip === end,
      ...options,
    },
  }
}
