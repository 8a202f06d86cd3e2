import { lastCommand } from '@trapframe/apic'
import type { Boot, Cpu, Machine, MemoryArea } from '@trapframe/core'
import type { Containment, Invariant, Violation } from '@trapframe/explore'
import { KEXEC_CONTAINMENT } from '../containment.js'
import { isContained, isPlaced, readShared } from '../memory/state.js'
import { readCrashNote } from '../note/crash-note.js'
import { crashingCpu, notShotDown } from '../report.js'
import { INTERRUPTED_REGISTERS, interruptedRegister, isNoteJudged } from './interrupted.js'

const at = ({ labels }: Boot, label: string): bigint | undefined => labels.get(label)

const violation = (invariant: string, { id }: Cpu, message: string): Violation => ({ invariant, message, cpu: id })

/** K4: the note of a CPU that is about to acknowledge is complete, and says what the NMI has interrupted. */
export const CRASH_NOTE: Invariant = {
  name: 'crash-note',
  summary: 'the note of a CPU that acknowledges is complete and says what the NMI interrupted',
  local: true,
  onRequest: true,
  check({ machine, boot, cpu }) {
    if (cpu.rip !== at(boot, 'kexec_acknowledge') || isNoteJudged(cpu)) return null
    const note = readCrashNote(machine, cpu.id)
    if (note === null) return violation('crash-note', cpu, `CPU ${cpu.id} acknowledges and leaves no note`)
    const n = INTERRUPTED_REGISTERS.findIndex((name, i) => note.registers[name] !== interruptedRegister(cpu, i))
    if (n < 0) return null
    const name = INTERRUPTED_REGISTERS[n]!
    const [is, was] = [note.registers[name], interruptedRegister(cpu, n)].map((value) => value.toString(16))
    return violation('crash-note', cpu, `the note says that ${name} was ${is}; it was ${was}`)
  },
}

/** K4: the report names exactly the CPUs that have not acknowledged when it is made, and nobody halts in the handler before. */
export const CRASH_REPORT: Invariant = {
  name: 'crash-report',
  summary: 'CPUs that did not respond are reported by number, and no others; nobody stops without acknowledging',
  // Only of the CPU that has stepped is it known which instruction that was.
  local: true,
  onRequest: true,
  check({ machine, boot, cpu }) {
    if (!isPlaced(machine)) return null
    if (cpu.halted && !isContained(cpu) && isBetween(cpu, at(boot, 'kexec_halt'), at(boot, 'kexec_nmi_end'))) {
      return violation('crash-report', cpu, `CPU ${cpu.id} has stopped and not acknowledged`)
    }
    const report = at(boot, 'kexec_report')
    if (report === undefined || instructionOf(cpu) !== report || cpu.rip !== report + 1n) return null
    if (crashingCpu(machine) !== cpu.id) return null
    const missing = missingCpus(machine, cpu)
    const reported = notShotDown(machine)
    if (missing.join() === reported.join()) return null
    return violation('crash-report', cpu, `${list(reported)} reported, and ${list(missing)} missing`)
  },
}

const list = (cpus: readonly number[]): string => (cpus.length === 0 ? 'nobody is' : `CPU ${cpus.join(', ')} is`)

const missingCpus = ({ cpus }: Machine, crashing: Cpu): number[] =>
  cpus.filter((other) => other !== crashing && !isContained(other)).map(({ id }) => id)

const isBetween = ({ rip }: Cpu, from: bigint | undefined, to: bigint | undefined): boolean =>
  from !== undefined && to !== undefined && rip > from && rip < to

const instructionOf = ({ startLo, startHi }: Cpu): bigint => (BigInt(startHi >>> 0) << 32n) | BigInt(startLo >>> 0)

/** What the reduction takes for granted: nobody but CPU 0 claims a crash before the callback is set. */
export const ONE_CRASH: Invariant = {
  name: 'one-crash',
  summary: 'nobody but CPU 0 crashes before the NMI callback is set',
  local: true,
  check({ machine, boot, cpu }) {
    if (cpu.id === 0 || cpu.rip !== at(boot, 'kexec_claim')) return null
    return readShared(machine, 'nmi_callback') === 0n
      ? violation('one-crash', cpu, `CPU ${cpu.id} crashes as well, which the reduction "kexec" does not allow for`)
      : null
  },
}

/**
 * What the reduction takes for granted of CPU 0: its first command is the shootdown, by which others know that the callback is
 * set; and the search ends at machine_kexec, behind which CPU 0 writes the IDTs of all.
 */
export const CRASHES_AT_ONCE: Invariant = {
  name: 'crashes-at-once',
  summary: 'CPU 0 sends nothing before the NMI callback is set, and the search ends at machine_kexec',
  local: true,
  check({ boot, cpu }) {
    if (cpu.id !== 0) return null
    const { rip } = cpu
    if (rip === at(boot, 'kexec_set_callback') && lastCommand(cpu) !== 0) {
      return violation(
        'crashes-at-once',
        cpu,
        'CPU 0 has sent an IPI before, which the reduction "kexec" does not allow for',
      )
    }
    if (rip === at(boot, 'kexec_cet')) {
      return violation(
        'crashes-at-once',
        cpu,
        'CPU 0 leaves Xen: a search with the reduction "kexec" ends at machine_kexec',
      )
    }
    return null
  },
}

const EVERYWHERE: readonly MemoryArea[] = [{ address: 0n, bytes: 2 ** 64 }]

/** A note that was judged is the one that the next kernel finds: nobody writes it any more. */
export const NOTE_CONTAINMENT: Containment = {
  name: 'kexec/note',
  contained: (_machine, cpu) => isNoteJudged(cpu),
  allowed: () => EVERYWHERE,
  frozen: (machine, cpu) => KEXEC_CONTAINMENT.frozen(machine, cpu),
}
