// What the search of the shootdown judges beside explore's own invariants: notes and the report.
import { CS, definePlugin, NMI, OBSERVERS, SS } from '../../packages/core/dist/index.js'
import { CONTAINMENTS, INVARIANTS } from '../../packages/explore/dist/index.js'
import {
  crashingCpu,
  isContained,
  isStopping,
  KEXEC_CONTAINMENT,
  notShotDown,
  readCrashNote,
} from '../../packages/kexec/dist/index.js'

const GENERAL = 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15'.split(' ')
const NOTED = [...GENERAL, 'rip', 'rflags', 'cs', 'ss']

/** What NMIs have interrupted, for notes to be held against: a quadword for each of the above; and whether that was done. */
const JUDGED = 2 * NOTED.length
const INTERRUPTED = { name: 'interleave/interrupted', scope: 'cpu', bytes: 4 * (JUDGED + 2), version: 1 }
const interrupted = (cpu) => cpu.machine.layout.regions.get(INTERRUPTED.name).slot

/** Whether the note of a CPU was judged. */
export const isNoteJudged = (cpu) => cpu.words[interrupted(cpu) + JUDGED] !== 0

/** The note of a CPU was judged: from now on it must not change, so that neither it nor what it says need be kept. */
export function endNote(cpu) {
  const slot = interrupted(cpu)
  cpu.words.fill(0, slot, slot + JUDGED)
  cpu.words[slot + JUDGED] = 1
  const { machine } = cpu
  for (const { address, bytes } of KEXEC_CONTAINMENT.frozen(machine, cpu)) {
    machine.space(0n).write(address, new Uint8Array(bytes))
  }
}

const violation = (invariant, cpu, message) => ({ invariant, message, cpu: cpu.id })

/** The note of a CPU that is about to acknowledge is complete, and says what the NMI has interrupted (K4). */
const CRASH_NOTE = {
  name: 'crash-note',
  summary: 'the note of a CPU that acknowledges is complete and correct',
  local: true,
  check({ machine, boot, cpu }) {
    if (cpu.rip !== boot.labels.get('kexec_acknowledge') || isNoteJudged(cpu)) return null
    const note = readCrashNote(machine, cpu.id)
    if (note === null) return violation('crash-note', cpu, `CPU ${cpu.id} acknowledges and leaves no note`)
    const slot = interrupted(cpu)
    const n = NOTED.findIndex((name, i) => note.registers[name] !== cpu.get64(slot + 2 * i))
    if (n < 0) return null
    const [is, was] = [note.registers[NOTED[n]], cpu.get64(slot + 2 * n)].map((value) => value.toString(16))
    return violation('crash-note', cpu, `the note says that ${NOTED[n]} was ${is}; it was ${was}`)
  },
}

/** The note that was judged is what the next kernel finds. */
const NOTE_CONTAINMENT = {
  name: 'interleave/note',
  contained: (_machine, cpu) => isNoteJudged(cpu),
  allowed: () => [{ address: 0n, bytes: 2 ** 64 }],
  frozen: (machine, cpu) => KEXEC_CONTAINMENT.frozen(machine, cpu),
}

/** The report names exactly those that have not acknowledged when it is made, and nobody halts in the handler unacknowledged. */
const CRASH_REPORT = {
  name: 'crash-report',
  summary: 'CPUs that did not respond are reported by number, and no others',
  // Only of the CPU that has stepped is it known which instruction that was.
  local: true,
  check({ machine, boot, cpu }) {
    if (cpu.halted && cpu.rip > boot.labels.get('kexec_halt') && cpu.rip < boot.labels.get('kexec_nmi_end')) {
      if (!isContained(cpu)) return violation('crash-report', cpu, `CPU ${cpu.id} has stopped and not acknowledged`)
    }
    const report = boot.labels.get('kexec_report')
    const at = (BigInt(cpu.startHi >>> 0) << 32n) | BigInt(cpu.startLo >>> 0)
    if (at !== report || cpu.rip !== report + 1n || crashingCpu(machine) !== cpu.id) return null
    const missing = machine.cpus.filter((other) => other !== cpu && !isContained(other)).map(({ id }) => id)
    return missing.join() === notShotDown(machine).join()
      ? null
      : violation('crash-report', cpu, `reported ${notShotDown(machine)}, and ${missing} are missing`)
  },
}

/** Nobody else claims the crash before the callback is set: `alone` takes this for granted (see reductions.mjs). */
const ONE_CRASH = {
  name: 'one-crash',
  summary: 'nobody else crashes before the callback is set',
  local: true,
  check({ machine, boot, cpu }) {
    if (cpu.id === 0 || cpu.rip !== boot.labels.get('kexec_claim')) return null
    const callback = machine.space(0n).read64(boot.labels.get('nmi_callback'))
    return callback === 0n ? violation('one-crash', cpu, `CPU ${cpu.id} crashes as well`) : null
  },
}

export const CHECKS = definePlugin({
  name: 'interleave',
  requires: ['explore', 'kexec'],
  setup(host) {
    host.regions.declare(INTERRUPTED)
    for (const one of [KEXEC_CONTAINMENT, NOTE_CONTAINMENT]) host.add(CONTAINMENTS, one.name, one)
    for (const one of [CRASH_NOTE, CRASH_REPORT, ONE_CRASH]) host.add(INVARIANTS, one.name, one)
    host.add(OBSERVERS, 'interleave', {
      delivering(cpu, event) {
        if (event.type !== NMI || isStopping(cpu) || isNoteJudged(cpu)) return
        const slot = interrupted(cpu)
        GENERAL.forEach((_, n) => void cpu.set64(slot + 2 * n, cpu.gpr(n)))
        const others = [cpu.rip, cpu.rflags, BigInt(cpu.segment(CS).selector), BigInt(cpu.segment(SS).selector)]
        others.forEach((value, n) => void cpu.set64(slot + 2 * (GENERAL.length + n), value))
      },
    })
  },
})

const EVERYWHERE = ['nmi-containment', 'good-stack', 'crash-note', 'crash-report', 'one-crash']

/** What must hold: under the IDT a second event on an IST stack loses a frame whatever the shootdown does. */
export const INVARIANTS_OF = {
  fred: [...EVERYWHERE, 'no-clobber', 'no-shutdown'],
  idt: EVERYWHERE,
}
