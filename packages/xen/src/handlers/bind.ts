import { type HostRoutine, type Machine, RAX, RDI } from '@trapframe/core'
import { functionLabel } from '../entry/functions.js'
import type { WaysOut, XenFunction } from './context.js'
import { userRegsAt } from './user-regs.js'

/** Binds Xen's C functions to their places in the entry code. */
export function bindFunctions(
  machine: Machine,
  labels: ReadonlyMap<string, bigint>,
  functions: readonly (readonly [name: string, run: XenFunction])[],
): void {
  const waysOut: WaysOut = { idleLoop: labels.get('idle_loop')!, panicStop: labels.get('panic_stop')! }
  for (const [name, run] of functions) {
    machine.bindRoutine(labels.get(functionLabel(name))!, routine(name, run, waysOut))
  }
}

/** A function as one step: a RET stands behind its place and takes it back to its caller. */
function routine(name: string, run: XenFunction, waysOut: WaysOut): HostRoutine {
  return {
    name,
    run(machine, cpu) {
      const regs = userRegsAt(cpu, cpu.get64(RDI))
      const outcome = run({ machine, cpu, regs, waysOut })
      if (outcome === 'gone') return
      if (outcome !== 'return') cpu.set64(RAX, outcome.value)
      cpu.rip += 1n
    },
  }
}
