import { type Machine, step } from '@trapframe/core'
import type { BootRecorder } from './record.js'

/** More than any boot needs, for each CPU. */
const MOST_STEPS = 100_000

/**
 * Lets every CPU run until it comes to the idle loop, each a step in turn.
 *
 * @throws Error when the boot does not end there: a defect of this package
 */
export function runToIdle(machine: Machine, idleLoop: bigint, recorder: BootRecorder): void {
  const release = machine.observe(recorder.observer)
  try {
    const busy = new Set(machine.cpus)
    for (let i = 0; i < MOST_STEPS && busy.size > 0; i++) {
      for (const cpu of busy) {
        if (cpu.rip === idleLoop) {
          busy.delete(cpu)
        } else {
          step(cpu)
          recorder.stepped(cpu)
        }
      }
    }
    const [stuck] = busy
    if (stuck !== undefined) throw new Error(`Xen did not boot: CPU ${stuck.id} is at 0x${stuck.rip.toString(16)}`)
  } finally {
    release()
  }
}
