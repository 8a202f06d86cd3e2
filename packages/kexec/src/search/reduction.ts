import { arrivalsOf, lastCommand } from '@trapframe/apic'
import { type Boot, type Cpu, type Machine, MachineError, RIP } from '@trapframe/core'
import { type Alone, interruptedContexts, type Reduction } from '@trapframe/explore'
import { XEN_TEXT } from '@trapframe/xen'
import { KEXEC_CONTAINMENT } from '../containment.js'
import { PAGE_BYTES, TEXT } from '../memory/layout.js'
import { forgetInterrupted, isNoteJudged } from './interrupted.js'
import { ONE_CRASH } from './invariants.js'

/** Where the crashing CPU writes what decides how a handler goes on, and where it reads what others write. */
const CRASHING_MEETS = ['kexec_set_callback', 'kexec_wait', 'kexec_report', 'kexec_lost', 'machine_kexec']
/** Where another CPU writes what the crashing one reads, and where it waits for ever. */
const OTHERS_MEET = ['kexec_acknowledge', 'kexec_lost']
const RBX = 3

/**
 * The shootdown, where CPU 0 goes straight to kexec_crash and the others run a loop outside of Xen's text (K1, K2). Why it is
 * sound: docs/kexec-shootdown.md.
 *
 * Alone are CPU 0, and, once the NMIs are sent and nothing that their handler reads changes any more, the others in Xen's
 * entry paths and in the handler; but for the places where they meet, of which every loop has one. As every delay of an
 * IPI is tried, sending it makes no difference to what its receivers do until it arrives.
 *
 * Forgotten is what a CPU was interrupted in that is about to acknowledge: it never goes back there, and its note was
 * judged. Of its registers the handler keeps RBX, the number for the self-NMI.
 */
export const KEXEC_REDUCTION: Reduction = {
  name: 'kexec',
  summary:
    'CPUs of the NMI shootdown between the places where they meet, and what they were interrupted in: CPU 0 crashes',
  assumes: [ONE_CRASH],
  alone(machine, boot) {
    requireChosenArrivals(machine)
    const crashingMeets = places(boot, CRASHING_MEETS)
    const othersMeet = places(boot, OTHERS_MEET)
    const timeLeft = low(boot.labels.get('kexec_time_left')!)
    const [first] = machine.cpus as readonly [Cpu]
    const alone: Alone = {
      cpu(cpu) {
        if (cpu.halted) return false
        const rip = cpu.words[RIP]!
        if (cpu === first) return !crashingMeets.has(rip)
        return isXensOrCrashText(rip) && !othersMeet.has(rip) && lastCommand(first) !== 0
      },
      // Whether the time has come makes a difference to nobody but the one who asks.
      concerns: (name, cpu) =>
        name === 'timeout' ? cpu === first && cpu.words[RIP] === timeLeft : name.endsWith(`>${cpu.id}`),
    }
    return alone
  },
  forget(machine, boot) {
    const acknowledges = low(boot.labels.get('kexec_acknowledge')!)
    const clear = interruptedContexts(machine, boot)
    const [first] = machine.cpus
    return (cpu) => {
      if (cpu === first || cpu.words[RIP] !== acknowledges) return
      clear(cpu, [RBX])
      if (!isNoteJudged(cpu)) forgetNote(cpu)
    }
  },
}

function requireChosenArrivals(machine: Machine): void {
  if (arrivalsOf(machine) === 'chosen') return
  throw new MachineError('reduction-promise', 'the reduction "kexec" needs IPIs that arrive when the search chooses', {
    hint: "in a scenario, setup: [{ ipis: chosen }]; in code, setArrivals(machine, 'chosen')",
  })
}

/** The note of a CPU was judged: from now on it must not change, so that neither it nor what it says need be kept. */
function forgetNote(cpu: Cpu): void {
  const { machine } = cpu
  for (const { address, bytes } of KEXEC_CONTAINMENT.frozen(machine, cpu)) {
    machine.space(0n).write(address, new Uint8Array(bytes))
  }
  forgetInterrupted(cpu)
}

/** Addresses of Xen's text and of the crash code differ in their low halves. */
const low = (address: bigint): number => Number(BigInt.asIntN(32, address))

const TEXTS = [XEN_TEXT, TEXT].map(({ linear, pages }) => ({ from: low(linear), bytes: pages * PAGE_BYTES }))

const isXensOrCrashText = (rip: number): boolean => TEXTS.some(({ from, bytes }) => rip >= from && rip < from + bytes)

/** @throws MachineError where Xen was not booted with kexec */
function places({ labels }: Boot, names: readonly string[]): ReadonlySet<number> {
  return new Set(
    names.map((name) => {
      const address = labels.get(name)
      if (address === undefined) throw new MachineError('no-kexec', 'the reduction "kexec" is about Xen with kexec')
      return low(address)
    }),
  )
}
