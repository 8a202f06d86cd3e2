import { type Cpu, type CpuEvent, CS, GPR_NAMES, NMI, type RegionDeclaration, SS } from '@trapframe/core'
import { isLoaded, isStopping } from '../memory/state.js'
import type { NoteRegister } from '../note/layout.js'

/** What an NMI interrupts, for a note to be held against. */
export const INTERRUPTED_REGISTERS: readonly NoteRegister[] = [...GPR_NAMES, 'rip', 'rflags', 'cs', 'ss']

/** After a quadword for each of them: 1 once the note was judged. */
const JUDGED = 2 * INTERRUPTED_REGISTERS.length

/** What the last NMI interrupted on a CPU that had not entered the crash handler. All zero before, and without a crash image. */
export const INTERRUPTED_REGION: RegionDeclaration = {
  name: 'kexec/interrupted',
  scope: 'cpu',
  bytes: 4 * (JUDGED + 2),
  version: 1,
}

const slotOf = ({ machine }: Cpu): number => machine.layout.regions.get(INTERRUPTED_REGION.name)!.slot

/** Remembers what an NMI interrupts, until the crash handler is entered: its note is about that. Without a crash image there is none. */
export function noteInterrupted(cpu: Cpu, event: CpuEvent): void {
  if (event.type !== NMI || !isLoaded(cpu.machine) || isStopping(cpu) || isNoteJudged(cpu)) return
  const slot = slotOf(cpu)
  GPR_NAMES.forEach((_, n) => void cpu.set64(slot + 2 * n, cpu.gpr(n)))
  const others = [cpu.rip, cpu.rflags, BigInt(cpu.segment(CS).selector), BigInt(cpu.segment(SS).selector)]
  others.forEach((value, n) => void cpu.set64(slot + 2 * (GPR_NAMES.length + n), value))
}

/** The value that register `n` of {@link INTERRUPTED_REGISTERS} had. */
export const interruptedRegister = (cpu: Cpu, n: number): bigint => cpu.get64(slotOf(cpu) + 2 * n)

/** Whether the note of a CPU was judged, and what it says forgotten. */
export const isNoteJudged = (cpu: Cpu): boolean => cpu.words[slotOf(cpu) + JUDGED] !== 0

/** From now on nobody asks what was interrupted. */
export function forgetInterrupted(cpu: Cpu): void {
  const slot = slotOf(cpu)
  cpu.words.fill(0, slot, slot + JUDGED)
  cpu.words[slot + JUDGED] = 1
}
