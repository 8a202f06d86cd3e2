// What the search of the shootdown leaves out, and why that is sound: docs/kexec-shootdown.md, docs/explore-reductions.md.
import { RIP } from '../../packages/core/dist/index.js'
import { interruptedContexts } from '../../packages/explore/dist/index.js'
import { endNote, isNoteJudged } from './checks.mjs'

const low = (address) => Number(BigInt.asIntN(32, address))

/** Where the crashing CPU writes what decides how a handler goes on, and where it reads what others write. */
const CRASHING_MEETS = ['kexec_set_callback', 'kexec_wait', 'kexec_report', 'kexec_lost', 'machine_kexec']
/** Where another CPU writes what the crashing one reads, and where it waits for ever. */
const OTHERS_MEET = ['kexec_acknowledge', 'kexec_lost']

/**
 * Who is by himself: the crashing CPU, and, once the NMIs are sent and nothing that the handler reads changes any more, the
 * others in Xen's entry paths and in the handler; but for the places where they meet, of which every loop has one. As
 * every delay of an IPI is tried, sending it makes no difference to what its receivers do until it arrives.
 */
export function aloneOf(machine, boot) {
  const at = (names) => new Set(names.map((name) => low(boot.labels.get(name))))
  const crashingMeets = at(CRASHING_MEETS)
  const othersMeet = at(OTHERS_MEET)
  const pages = [boot.labels.get('restore_all_xen') & ~0xffffn, boot.labels.get('trap_nop')].map(low)
  const within = (rip) => pages.some((start) => rip >= start && rip < start + 0x4000)
  const host = low(boot.sites.host.origin)
  const timeLeft = low(boot.labels.get('kexec_time_left'))
  const [first] = machine.cpus
  return {
    cpu(cpu) {
      const rip = cpu.words[RIP]
      if (cpu.halted) return false
      if (cpu === first) return !crashingMeets.has(rip) && (within(rip) || rip === host)
      return within(rip) && !othersMeet.has(rip) && hasSent(first)
    },
    // Whether the time has come makes a difference to nobody but the one who asks.
    concerns: (name, cpu) =>
      name === 'timeout' ? cpu === first && cpu.words[RIP] === timeLeft : name.endsWith(`>${cpu.id}`),
  }
}

/** The interrupt command register holds the last command, in x2APIC mode too. */
function hasSent(cpu) {
  return cpu.words[cpu.machine.layout.regions.get('apic/local').slot + 12] !== 0
}

const RBX = 3

/**
 * A CPU that is about to acknowledge never goes back to what it was interrupted in, and its note was judged. It keeps RBX,
 * its number for the self-NMI.
 */
export function forgetterOf(machine, boot) {
  const acknowledges = low(boot.labels.get('kexec_acknowledge'))
  const clear = interruptedContexts(machine, boot)
  const [first] = machine.cpus
  return (cpu) => {
    if (cpu === first || cpu.words[RIP] !== acknowledges) return
    clear(cpu, [RBX])
    if (!isNoteJudged(cpu)) endNote(cpu)
  }
}
