import { arrivalsOf, lastCommand } from '@trapframe/apic'
import { type Boot, type Cpu, type Machine, MachineError, RIP } from '@trapframe/core'
import { type Alone, interruptedContexts, type Reduction } from '@trapframe/explore'
import { XEN_TEXT } from '@trapframe/xen'
import { KEXEC_CONTAINMENT } from '../containment.js'
import { PAGE_BYTES, TEXT } from '../memory/layout.js'
import { isLoaded } from '../memory/state.js'
import { forgetInterrupted, isNoteJudged } from './interrupted.js'
import { CRASHES_AT_ONCE, ONE_CRASH } from './invariants.js'

/** Where the crashing CPU writes what decides how a handler goes on, where it reads what others write, and where it waits. */
const CRASHING_MEETS = [
  'kexec_set_callback',
  'kexec_wait',
  'kexec_console_taken',
  'kexec_report',
  'kexec_lost',
  'machine_kexec',
]
/** Where another CPU writes what the crashing one reads, and where it waits for ever. */
const OTHERS_MEET = ['kexec_acknowledge', 'kexec_lost']
const RBX = 3

/**
 * The shootdown, where CPU 0 goes straight to kexec_crash, the others run a loop outside of Xen's text that shares nothing, and
 * the search ends at machine_kexec (K1, K2). Why it is sound: docs/kexec-shootdown.md.
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
  assumes: [ONE_CRASH, CRASHES_AT_ONCE],
  alone(machine, boot) {
    const crashingMeets = places(boot, CRASHING_MEETS)
    requireCrash(machine)
    requireChosenArrivals(machine)
    const othersMeet = places(boot, OTHERS_MEET)
    const timeLeft = low(boot.labels.get('kexec_time_left')!)
    const [first] = machine.cpus as readonly [Cpu]
    const alone: Alone = {
      cpu(cpu) {
        if (cpu.halted) return false
        const rip = cpu.words[RIP]!
        if (cpu === first) return !crashingMeets.has(rip)
        return isXensOrCrashText(cpu) && !othersMeet.has(rip) && lastCommand(first) !== 0
      },
      // Whether the time has come makes a difference to nobody but the one who asks.
      concerns: (name, cpu) =>
        name === 'timeout' ? cpu === first && cpu.words[RIP] === timeLeft : name.endsWith(`>${cpu.id}`),
    }
    return alone
  },
  forget(machine, boot) {
    const acknowledges = places(boot, ['kexec_acknowledge'])
    const clear = interruptedContexts(machine, boot)
    const [first] = machine.cpus
    return (cpu) => {
      if (cpu === first || !acknowledges.has(cpu.words[RIP]!)) return
      clear(cpu, [RBX])
      if (!isNoteJudged(cpu)) forgetNote(cpu)
    }
  },
}

function requireCrash(machine: Machine): void {
  if (isLoaded(machine)) return
  throw new MachineError('reduction-promise', 'the reduction "kexec" needs a crash image', {
    hint: 'in a scenario, setup: [{ crash: {} }]; in code, loadCrashImage(machine)',
  })
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

/** Addresses of Xen's text and of the crash code differ in their low halves; the high half is the same. */
const low = (address: bigint): number => Number(BigInt.asIntN(32, address))

const TEXTS = [XEN_TEXT, TEXT].map(({ linear, pages }) => ({ from: low(linear), bytes: pages * PAGE_BYTES }))
const HIGH_HALF = low(TEXT.linear >> 32n)

function isXensOrCrashText({ words }: Cpu): boolean {
  const rip = words[RIP]!
  return words[RIP + 1] === HIGH_HALF && TEXTS.some(({ from, bytes }) => rip >= from && rip < from + bytes)
}

/** @throws MachineError where Xen was not booted with kexec */
function places({ labels }: Boot, names: readonly string[]): ReadonlySet<number> {
  return new Set(
    names.map((name) => {
      const address = labels.get(name)
      if (address !== undefined) return low(address)
      throw new MachineError('reduction-promise', 'the reduction "kexec" is about Xen with kexec', {
        hint: 'in a scenario, machine: { host: xen }; in code, boot host "xen" on a machine with kexec()',
      })
    }),
  )
}
