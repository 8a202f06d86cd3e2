import { type CpuModel, createMachine, definePlugin, HOSTS, type HostKind, MachineError } from '@trapframe/core'
import { fred } from '@trapframe/fred'
import { idt } from '@trapframe/idt'
import { isa } from '@trapframe/isa'
import { withOptions } from './command-line.js'
import type { XenRequest } from './options.js'
import type { Programmed } from './record.js'
import { readSetUp, type SetUp } from './set-up.js'

/**
 * The two set-ups of one CPU model side by side (A17): a machine for each delivery boots with the same command line but
 * for `fred`. Null for a delivery that this boot does not come to.
 */
export function setUpsSideBySide(
  xen: HostKind,
  model: CpuModel,
  { revision, ist, layout, commandLine }: XenRequest,
): Readonly<Record<'idt' | 'fred', SetUp | null>> {
  const host = definePlugin({ name: 'xen', requires: ['isa'], setup: ({ add }) => add(HOSTS, xen.name, xen) })
  const setUpOf = (delivery: 'idt' | 'fred'): SetUp | null => {
    const machine = createMachine({ cpu: model, plugins: [isa(), idt(), fred(), host] })
    const cmdline = withOptions(commandLine, `fred=${delivery === 'fred' ? 1 : 0}`)
    try {
      const boot = machine.boot(xen.name, { cmdline, options: { revision, ist, layout } })
      const { programmed } = boot.facts!(machine.cpu)
      return boot.delivery === delivery ? readSetUp(machine.cpu, programmed as readonly Programmed[]) : null
    } catch (error) {
      // A layout that the delivery cannot use.
      if (error instanceof MachineError) return null
      throw error
    }
  }
  return { idt: setUpOf('idt'), fred: setUpOf('fred') }
}
