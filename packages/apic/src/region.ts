import { type Cpu, type Machine, MachineError, type RegionDeclaration } from '@trapframe/core'

/**
 * Where the state of a CPU's local APIC lies: 32-bit words from the start of a declared region. Registers that are also
 * MSRs take two words, the high one 0 but for IA32_APIC_BASE and ICR.
 */

/** IA32_APIC_BASE. */
export const BASE = 0
/** Task priority, 8 bits. CR8 is its upper half. */
export const TPR = 2
export const SVR = 4
/** Error status as software reads it, and what has been met since its last write. */
export const ESR = 6
export const ERRORS = 8
/** Logical destination of xAPIC mode, and its format with every bit inverted, so that 0 is its value after reset. */
export const LDR = 10
export const INVERTED_DFR = 11
/** The last command: low half, and destination. */
export const ICR = 12
/** The local vector table in the order of its registers: CMCI, then 32h to 37h. */
export const LVT_CMCI = 14
export const LVT = 16
export const DIVIDE = 28
/** What is read as 0 and cannot be stored to. */
export const NOTHING = 30
/** Interrupts that are requested, and that are in service: 256 bits each. */
export const IRR = 32
export const ISR = 40
/** The message that is on its way, as the low half of the command, and the CPUs that have not accepted it, 64 bits. */
export const SENT = 48
export const WAITED_FOR = 50

const LOCAL_APIC_WORDS = 52

export const LOCAL_APIC: RegionDeclaration = {
  name: 'apic/local',
  scope: 'cpu',
  bytes: 4 * LOCAL_APIC_WORDS,
  version: 1,
}

/** One word: 1 where somebody chooses when messages arrive. */
export const ARRIVALS: RegionDeclaration = { name: 'apic/arrivals', scope: 'machine', bytes: 8, version: 1 }

/** First word of a machine's region. @throws MachineError on a machine without local APICs */
export function slotOf(machine: Machine, { name }: RegionDeclaration): number {
  const region = machine.layout.regions.get(name)
  if (region === undefined) {
    throw new MachineError('no-apic', 'the machine has no local APICs', { hint: 'load apic() from @trapframe/apic' })
  }
  return region.slot
}

/** First word of a CPU's local APIC in `cpu.words`. */
export function localApic(cpu: Cpu): number {
  return slotOf(cpu.machine, LOCAL_APIC)
}
