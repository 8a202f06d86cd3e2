import { type Cpu, type Machine, MachineError, step } from '@trapframe/core'
import type { BootRecorder } from './record.js'

/** More than any boot needs, for each CPU. */
const MOST_STEPS = 100_000
/** Lines of a log that an error quotes. */
const LAST_WORDS = 6

/**
 * Lets every CPU run until it comes to the idle loop, each a step in turn.
 *
 * @throws MachineError when one does not: this CPU lacks what Xen needs
 */
export function runToIdle(machine: Machine, idleLoop: bigint, recorder: BootRecorder): void {
  const release = machine.observe(recorder.observer)
  try {
    const busy = new Set(machine.cpus)
    for (let i = 0; i < MOST_STEPS && busy.size > 0 && !hasFailed(machine.cpu); i++) {
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
    if (stuck !== undefined) throw doesNotBoot(stuck, recorder)
  } finally {
    release()
  }
}

/** The first CPU never halts on its way. */
const hasFailed = (cpu: Cpu): boolean => cpu.halted || cpu.isShutdown

function doesNotBoot(cpu: Cpu, { log }: BootRecorder): MachineError {
  const where = cpu.isShutdown ? 'shuts down' : 'stops'
  return new MachineError('xen-boot', `Xen does not boot on CPU "${cpu.model.name}": CPU ${cpu.id} ${where}`, {
    hint: log.length === 0 ? 'it has printed nothing' : `its last words: ${log.slice(-LAST_WORDS).join(' / ')}`,
  })
}
