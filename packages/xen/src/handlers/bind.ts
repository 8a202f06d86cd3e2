import { type HostRoutine, type Machine, RAX, RDI } from '@trapframe/core'
import { functionLabel } from '../entry/functions.js'
import type { Build, XenFunction } from './context.js'
import { symbolizer } from './symbols.js'
import { userRegsAt } from './user-regs.js'

/** What the boot has settled about a Xen, before it is known where its code lies. */
export type Settled = Omit<Build, 'label' | 'symbol'>

/** Binds Xen's C functions to their places in the entry code. */
export function bindFunctions(
  machine: Machine,
  labels: ReadonlyMap<string, bigint>,
  functions: readonly (readonly [name: string, run: XenFunction])[],
  settled: Settled,
): void {
  const build: Build = { ...settled, label: (name) => labels.get(name)!, symbol: symbolizer(labels) }
  for (const [name, run] of functions) {
    machine.bindRoutine(labels.get(functionLabel(name))!, routine(name, run, build))
  }
}

/** A function as one step: a RET stands behind its place and takes it back to its caller. */
function routine(name: string, run: XenFunction, build: Build): HostRoutine {
  return {
    name,
    run(machine, cpu) {
      const regs = userRegsAt(cpu, cpu.get64(RDI))
      const outcome = run({ machine, cpu, regs, build })
      if (outcome === 'gone') return
      if (outcome !== 'return') cpu.set64(RAX, outcome.value)
      cpu.rip += 1n
    },
  }
}
