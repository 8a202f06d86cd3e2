import {
  type Cpu,
  clearDeadline,
  deadlineOf,
  type HostRoutine,
  type Machine,
  RAX,
  RDI,
  setDeadline,
  timeOf,
} from '@trapframe/core'
import { userRegsAt } from '@trapframe/xen'
import { readShared, setContained, storeShared } from '../memory/state.js'
import { writeCrashNote } from '../note/crash-note.js'
import { cpuList, cpusIn } from '../report.js'

/** How long the crashing CPU waits. */
export const WAIT_NANOSECONDS = 1_000_000_000n

/** The C code of the shootdown; each does one thing that other CPUs can see, at most. */
const ROUTINES: Readonly<Record<string, (cpu: Cpu, machine: Machine) => void>> = {
  /** The crashing CPU's own note, and that of any other: both from the registers in RDI. */
  kexec_save_own: saveRegisters,
  kexec_save: saveRegisters,

  /** Atomically takes the CPU out of the set that is waited for. From here on it is contained. */
  kexec_acknowledge(cpu, machine) {
    storeShared(cpu, 'waiting_to_crash', readShared(machine, 'waiting_to_crash') & ~(1n << BigInt(cpu.id)))
    setContained(cpu)
  },

  kexec_start_wait: (cpu, machine) => setDeadline(cpu, timeOf(machine) + WAIT_NANOSECONDS),
  kexec_time_left: (cpu) => cpu.set64(RAX, deadlineOf(cpu) === null ? 0n : 1n),
  kexec_waited: (cpu) => clearDeadline(cpu),

  /** Looks once, and remembers what it saw. */
  kexec_report(cpu, machine) {
    const missing = readShared(machine, 'waiting_to_crash')
    storeShared(cpu, 'not_shot_down', missing)
    machine.log(missing === 0n ? 'Shot down all CPUs' : `Failed to shoot down CPUs {${cpuList(cpusIn(missing))}}`, cpu)
  },
}

function saveRegisters(cpu: Cpu): void {
  writeCrashNote(cpu, userRegsAt(cpu, cpu.get64(RDI)))
}

/** Binds the routines to their places. */
export function bindRoutines(machine: Machine, labels: ReadonlyMap<string, bigint>): void {
  for (const [name, run] of Object.entries(ROUTINES)) {
    const routine: HostRoutine = {
      name,
      run(_machine, cpu) {
        run(cpu, cpu.machine)
        cpu.rip += 1n
      },
    }
    machine.bindRoutine(labels.get(name)!, routine)
  }
}
